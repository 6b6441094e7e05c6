"""Rule plot_robustness_confidence: confidence of mistakes, and the smallest attack that succeeds."""

from advdyn import figures
from advdyn.robustness.figures.confidence import confidence


def main(snakemake):
    figures.draw(snakemake, "study", confidence)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
