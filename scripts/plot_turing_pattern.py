"""Rule plot_turing_pattern: share of diffusion and growth of the filters' changes over time."""

from advdyn.turing.figures.common import draw_both
from advdyn.turing.figures.pattern import pattern


def main(snakemake):
    draw_both(snakemake, pattern)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
