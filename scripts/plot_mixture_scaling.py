"""Rule plot_mixture_scaling: variance of the order parameters against N, and the law of the local potential."""

from advdyn import figures, io, job
from advdyn.mixture.figures import scaling


def main(snakemake):
    with job.of(snakemake), figures.style():
        study = io.read(snakemake.input.scaling)
        figures.save(*scaling(study), snakemake.output, partial=study.partial)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
