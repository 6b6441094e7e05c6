"""Rule plot_mixture_data: the data in high dimension, projected on B and on random directions."""

from advdyn import figures
from advdyn.mixture.figures import data


def main(snakemake):
    figures.draw(snakemake, "data", data)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
