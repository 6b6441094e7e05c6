"""Rule plot_turing_logistic: the residual's Bernoulli equation beside logistic growth."""

from advdyn import figures
from advdyn.turing.figures.logistic import logistic


def main(snakemake):
    figures.draw(snakemake, "study", logistic)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
