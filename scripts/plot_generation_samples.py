"""Rule plot_generation_samples: samples over epochs, beside real images, a fitted Gaussian and noise."""

from advdyn import figures
from advdyn.generation.figures.samples import samples


def main(snakemake):
    figures.draw(snakemake, "study", samples)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
