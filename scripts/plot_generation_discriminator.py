"""Rule plot_generation_discriminator: the discriminator in the game beside a fresh one."""

from advdyn import figures
from advdyn.generation.figures.discriminator import discriminator


def main(snakemake):
    figures.draw(snakemake, "study", discriminator)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
