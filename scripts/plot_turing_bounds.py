"""Rule plot_turing_bounds: measured distances against every bound."""

from advdyn import figures
from advdyn.turing.figures.bounds import bounds


def main(snakemake):
    figures.draw(snakemake, "study", bounds)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
