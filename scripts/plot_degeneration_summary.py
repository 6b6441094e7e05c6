"""Rule plot_degeneration_summary: every metric of every system."""

from advdyn import figures
from advdyn.degeneration.figures.summary import summary


def main(snakemake):
    figures.draw(snakemake, "study", summary)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
