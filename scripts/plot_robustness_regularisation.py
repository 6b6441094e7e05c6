"""Rule plot_robustness_regularisation: change of the clean error by adversarial training and by noise."""

from advdyn import figures
from advdyn.robustness.figures.regularisation import regularisation


def main(snakemake):
    figures.draw(snakemake, "study", regularisation)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
