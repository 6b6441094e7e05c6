"""Rule plot_degeneration_pairs: percent destroyed against the number of pairs."""

from advdyn import figures
from advdyn.degeneration.figures.pairs import pairs


def main(snakemake):
    figures.draw(snakemake, "study", pairs)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
