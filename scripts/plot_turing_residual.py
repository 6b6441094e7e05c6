"""Rule plot_turing_residual: the residual of the outputs, its bound and its equilibrium."""

from advdyn import figures
from advdyn.turing.figures.residual import residual


def main(snakemake):
    figures.draw(snakemake, "study", residual)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
