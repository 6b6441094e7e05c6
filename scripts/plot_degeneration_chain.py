"""Rule plot_degeneration_chain: data overwritten pass after pass."""

from advdyn import figures
from advdyn.degeneration.figures.chain import chain


def main(snakemake):
    figures.draw(snakemake, "study", chain)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
