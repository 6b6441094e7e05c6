"""Rule plot_turing_spectra: radial spectra of the filters' changes."""

from advdyn.turing.figures.common import draw_both
from advdyn.turing.figures.spectra import spectra


def main(snakemake):
    draw_both(snakemake, spectra)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
