"""Rule plot_degeneration_line: the game on a line."""

from advdyn import figures
from advdyn.degeneration.figures.line import line


def main(snakemake):
    figures.draw(snakemake, "study", line)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
