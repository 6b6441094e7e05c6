"""Rule plot_degeneration_textures: repeated textures after fifteen passes."""

from advdyn import figures
from advdyn.degeneration.figures.textures import textures


def main(snakemake):
    figures.draw(snakemake, "study", textures)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
