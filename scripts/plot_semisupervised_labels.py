"""Rule plot_semisupervised_labels: test error against the number of labels, and the gain over supervised training."""

from advdyn import figures
from advdyn.semisupervised.figures.labels import labels


def main(snakemake):
    figures.draw(snakemake, "study", labels)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
