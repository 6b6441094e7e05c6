"""Rule plot_semisupervised_smoothness: how far the answer moves with the image, on the manifold and off it."""

from advdyn import figures
from advdyn.semisupervised.figures.smoothness import smoothness


def main(snakemake):
    figures.draw(snakemake, "study", smoothness)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
