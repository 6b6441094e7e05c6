"""Rule plot_robustness_scale: the reach of a small attack against the number of pixels."""

from advdyn import figures
from advdyn.robustness.figures.scale import scale


def main(snakemake):
    figures.draw(snakemake, "study", scale)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
