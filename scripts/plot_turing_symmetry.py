"""Rule plot_turing_symmetry: clouds of neurons at first and at the end."""

from advdyn import figures
from advdyn.turing.figures.symmetry import symmetry


def main(snakemake):
    figures.draw(snakemake, "pictures", symmetry)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
