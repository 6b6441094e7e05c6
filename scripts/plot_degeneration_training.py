"""Rule plot_degeneration_training: accuracy, value and gradient against passes."""

from advdyn import figures
from advdyn.degeneration.figures.training import training


def main(snakemake):
    figures.draw(snakemake, "study", training)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
