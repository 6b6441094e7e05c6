"""Rule plot_robustness_training_eps: error against the size of the attack in training."""

from advdyn import figures
from advdyn.robustness.figures.training_eps import training_eps


def main(snakemake):
    figures.draw(snakemake, "study", training_eps)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
