"""Rule plot_semisupervised_learning: errors and losses over updates."""

from advdyn import figures
from advdyn.semisupervised.figures.learning import learning


def main(snakemake):
    figures.draw(snakemake, "study", learning)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
