"""Rule plot_turing_stability: eigenvalues at the end of training."""

from advdyn import figures
from advdyn.turing.figures.stability import stability


def main(snakemake):
    figures.draw(snakemake, "study", stability)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
