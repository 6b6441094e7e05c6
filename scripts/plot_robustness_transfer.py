"""Rule plot_robustness_transfer: error under attacks made on another network."""

from advdyn import figures
from advdyn.robustness.figures.transfer import transfer


def main(snakemake):
    figures.draw(snakemake, "study", transfer)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
