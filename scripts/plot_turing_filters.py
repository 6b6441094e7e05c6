"""Rule plot_turing_filters: filters of the hidden layer."""

from advdyn import figures
from advdyn.turing.figures.filters import filters


def main(snakemake):
    figures.draw(snakemake, "pictures", filters)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
