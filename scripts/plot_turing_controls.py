"""Rule plot_turing_controls: structure and growth with the adversary and with what is put in its place."""

from advdyn import figures
from advdyn.turing.figures.controls import controls


def main(snakemake):
    figures.draw(snakemake, "study", controls)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
