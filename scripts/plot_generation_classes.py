"""Rule plot_generation_classes: class shares among the samples."""

from advdyn import figures
from advdyn.generation.figures.classes import classes


def main(snakemake):
    figures.draw(snakemake, "study", classes)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
