"""Rule plot_generation_nearest: samples beside their nearest training images."""

from advdyn import figures
from advdyn.generation.figures.nearest import nearest


def main(snakemake):
    figures.draw(snakemake, "study", nearest)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
