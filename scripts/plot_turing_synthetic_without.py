"""Rule plot_turing_synthetic_without: filters and neurons on synthetic data without the adversary."""

from advdyn import figures
from advdyn.turing.figures.synthetic import synthetic_without


def main(snakemake):
    figures.draw(snakemake, "pictures", synthetic_without)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
