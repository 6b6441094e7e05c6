"""Rule plot_degeneration_table: Table 1, percent of the data destroyed."""

from advdyn import figures
from advdyn.degeneration.figures.table import table


def main(snakemake):
    figures.draw(snakemake, "study", table)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
