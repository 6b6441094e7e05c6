"""Rule plot_turing_features: features of an input in the hidden layer."""

from advdyn import figures
from advdyn.turing.figures.features import features


def main(snakemake):
    figures.draw(snakemake, "pictures", features)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
