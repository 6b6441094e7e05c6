"""Rule plot_semisupervised_pseudo_labels: how often pseudo-labels are right, and how often r changes them."""

from advdyn import figures
from advdyn.semisupervised.figures.pseudo_labels import pseudo_labels


def main(snakemake):
    figures.draw(snakemake, "study", pseudo_labels)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
