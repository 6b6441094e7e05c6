"""Rule plot_degeneration_first_pass: degenerated images after the first pass."""

from advdyn import figures
from advdyn.degeneration.figures.first_pass import first_pass


def main(snakemake):
    figures.draw(snakemake, "study", first_pass)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
