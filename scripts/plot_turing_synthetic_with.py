"""Rule plot_turing_synthetic_with: filters and neurons on synthetic data with the adversary."""

from advdyn import figures
from advdyn.turing.figures.synthetic import synthetic_with


def main(snakemake):
    figures.draw(snakemake, "pictures", synthetic_with)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
