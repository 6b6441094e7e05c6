"""Rule plot_robustness_linearity: the margin against its tangent, and norms of its gradient."""

from advdyn import figures
from advdyn.robustness.figures.linearity import linearity


def main(snakemake):
    figures.draw(snakemake, "study", linearity)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
