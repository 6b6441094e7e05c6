"""Rule plot_degeneration_degenerated: degenerated images after the last pass."""

from advdyn import figures
from advdyn.degeneration.figures.degenerated import degenerated


def main(snakemake):
    figures.draw(snakemake, "study", degenerated)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
