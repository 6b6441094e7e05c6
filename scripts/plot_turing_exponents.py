"""Rule plot_turing_exponents: exponents in time, step size and width."""

from advdyn import figures
from advdyn.turing.figures.exponents import exponents


def main(snakemake):
    figures.draw(snakemake, "study", exponents)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
