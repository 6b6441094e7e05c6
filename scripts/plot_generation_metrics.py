"""Rule plot_generation_metrics: the judge's metrics and the two-sample tests over epochs."""

from advdyn import figures
from advdyn.generation.figures.metrics import metrics


def main(snakemake):
    figures.draw(snakemake, "study", metrics)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
