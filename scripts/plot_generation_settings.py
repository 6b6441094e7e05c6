"""Rule plot_generation_settings: metrics and samples at the end of training, setting by setting."""

from advdyn import figures
from advdyn.generation.figures.settings import settings


def main(snakemake):
    figures.draw(snakemake, "study", settings)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
