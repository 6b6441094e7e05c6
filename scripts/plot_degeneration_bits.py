"""Rule plot_degeneration_bits: bits per byte against passes."""

from advdyn import figures
from advdyn.degeneration.figures.bits import bits


def main(snakemake):
    figures.draw(snakemake, "study", bits)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
