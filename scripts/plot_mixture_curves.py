"""Rule plot_mixture_curves: order parameters, errors and robustness curve of one scenario."""

from advdyn import figures
from advdyn.mixture.figures import curves


def main(snakemake):
    figures.draw(snakemake, "study", curves, panel=True)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
