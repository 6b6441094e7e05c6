"""Rule plot_degeneration_collapse: how alike outputs are, and which seeds collapse."""

from advdyn import figures
from advdyn.degeneration.figures.collapse import collapse


def main(snakemake):
    figures.draw(snakemake, "study", collapse)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
