"""Rule plot_mixture_curves: order parameters, errors and robustness curve of one scenario."""

from advdyn import figures, io, job
from advdyn.mixture.figures import curves, panel_of


def main(snakemake):
    with job.of(snakemake):
        study = panel_of(io.read(snakemake.input.study), snakemake.wildcards.panel)
        with figures.style():
            figures.save(*curves(study), snakemake.output, partial=study.partial)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
