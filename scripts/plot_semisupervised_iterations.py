"""Rule plot_semisupervised_iterations: directions and test errors after several power iterations."""

from advdyn import figures
from advdyn.semisupervised.figures.iterations import iterations


def main(snakemake):
    figures.draw(snakemake, "study", iterations)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
