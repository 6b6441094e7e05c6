"""Rule plot_logistic_errors: error against the size of the attack."""

from advdyn import figures
from advdyn.logistic.figures import errors


def main(snakemake):
    figures.draw(snakemake, "study", errors)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
