"""Rule plot_degeneration_comparison: FGSM beside the DAN."""

from advdyn import figures
from advdyn.degeneration.figures.comparison import comparison


def main(snakemake):
    figures.draw(snakemake, "study", comparison)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
