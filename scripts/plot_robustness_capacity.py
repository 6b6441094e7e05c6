"""Rule plot_robustness_capacity: error against the width and depth of a network."""

from advdyn import figures
from advdyn.robustness.figures.capacity import capacity


def main(snakemake):
    figures.draw(snakemake, "study", capacity)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
