"""Rule plot_semisupervised_smoothness: how far the answer moves with the image, on the manifold and off it."""

from advdyn.semisupervised.figures.smoothness import smoothness

from advdyn import figures


def main(snakemake):
    figures.draw(snakemake, "study", smoothness)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
