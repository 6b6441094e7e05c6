"""Rule plot_mixture_potential: the local potential with and without attack, and the plane of w and B."""

from advdyn import figures
from advdyn.mixture.figures import potential


def main(snakemake):
    figures.draw(snakemake, "study", potential, panel=True)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
