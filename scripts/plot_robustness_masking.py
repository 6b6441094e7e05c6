"""Rule plot_robustness_masking: runs whose gradients are masked."""

from advdyn import figures
from advdyn.robustness.figures.masking import masking


def main(snakemake):
    figures.draw(snakemake, "study", masking)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
