"""Rule plot_semisupervised_moons: decision regions and virtual adversarial directions on two moons."""

from advdyn import figures
from advdyn.semisupervised.figures.moons import moons


def main(snakemake):
    figures.draw(snakemake, "study", moons)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
