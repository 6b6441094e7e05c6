"""Rule plot_mixture_scaling: variance of the order parameters against N, and the law of the local potential."""

from advdyn import figures
from advdyn.mixture.figures import scaling


def main(snakemake):
    figures.draw(snakemake, "scaling", scaling)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
