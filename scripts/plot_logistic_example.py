"""Rule plot_logistic_example: one attacked image of each class."""

from advdyn import figures
from advdyn.logistic.figures import example


def main(snakemake):
    figures.draw(snakemake, "study", example)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
