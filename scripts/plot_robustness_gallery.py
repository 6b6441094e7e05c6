"""Rule plot_robustness_gallery: attacked images, and images that fool."""

from advdyn import figures
from advdyn.robustness.figures.gallery import gallery


def main(snakemake):
    figures.draw(snakemake, "illustrations", gallery)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
