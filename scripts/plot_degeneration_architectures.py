"""Rule plot_degeneration_architectures: the networks of the GAN and of the DAN."""

from advdyn import figures
from advdyn.degeneration.figures.architectures import architectures


def main(snakemake):
    figures.draw(snakemake, "study", architectures)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
