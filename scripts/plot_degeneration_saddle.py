"""Rule plot_degeneration_saddle: the spectra of Theorem 1."""

from advdyn import figures
from advdyn.degeneration.figures.saddle import saddle


def main(snakemake):
    figures.draw(snakemake, "study", saddle)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
