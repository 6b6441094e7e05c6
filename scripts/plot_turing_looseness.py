"""Rule plot_turing_looseness: how loose the bounds are, and the theorems' hypotheses."""

from advdyn import figures
from advdyn.turing.figures.looseness import looseness


def main(snakemake):
    figures.draw(snakemake, "study", looseness)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
