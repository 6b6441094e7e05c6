"""Rule plot_logistic_outputs: outputs on test images before and after the attack."""

from advdyn import figures
from advdyn.logistic.figures import outputs


def main(snakemake):
    figures.draw(snakemake, "study", outputs)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
