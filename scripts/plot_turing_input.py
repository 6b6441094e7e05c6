"""Rule plot_turing_input: the inputs that the features are shown on."""

from advdyn import figures
from advdyn.turing.figures.input import input


def main(snakemake):
    figures.draw(snakemake, "pictures", input)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
