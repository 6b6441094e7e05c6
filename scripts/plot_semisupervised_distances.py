"""Rule plot_semisupervised_distances: how far the classes are from each other, beside 2 eps."""

from advdyn import figures
from advdyn.semisupervised.figures.distances import distances


def main(snakemake):
    figures.draw(snakemake, "study", distances)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
