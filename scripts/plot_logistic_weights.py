"""Rule plot_logistic_weights: weight images and their sign patterns."""

from advdyn import figures
from advdyn.logistic.figures import weights


def main(snakemake):
    figures.draw(snakemake, "study", weights)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
