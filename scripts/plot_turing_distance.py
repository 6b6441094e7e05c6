"""Rule plot_turing_distance: distance of the neurons from their initialisation, over time."""

from advdyn import figures
from advdyn.turing.figures.distance import distance


def main(snakemake):
    figures.draw(snakemake, "study", distance)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
