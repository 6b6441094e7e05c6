"""Rule plot_robustness_attacks: error under every attack of the table, for every model."""

from advdyn import figures
from advdyn.robustness.figures.attacks import attacks


def main(snakemake):
    figures.draw(snakemake, "study", attacks)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
