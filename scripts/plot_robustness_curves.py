"""Rule plot_robustness_curves: error against the size of the attack, for every model and training."""

from advdyn import figures
from advdyn.robustness.figures.curves import curves


def main(snakemake):
    figures.draw(snakemake, "study", curves)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
