"""Rule plot_robustness_filters: first-layer weights with and without adversarial training."""

from advdyn import figures
from advdyn.robustness.figures.filters import filters


def main(snakemake):
    figures.draw(snakemake, "illustrations", filters)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
