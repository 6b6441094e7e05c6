"""Rule plot_semisupervised_eps: validation and test error against the length of the perturbation."""

from advdyn import figures
from advdyn.semisupervised.figures.eps import eps


def main(snakemake):
    figures.draw(snakemake, "study", eps)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
