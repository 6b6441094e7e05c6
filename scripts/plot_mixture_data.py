"""Rule plot_mixture_data: the data in high dimension, projected on B and on random directions."""

from advdyn import figures, io, job
from advdyn.mixture.figures import data


def main(snakemake):
    with job.of(snakemake), figures.style():
        figures.save(*data(io.read(snakemake.input.data)), snakemake.output)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
