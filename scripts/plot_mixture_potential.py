"""Rule plot_mixture_potential: the local potential with and without attack, and the plane of w and B."""

from advdyn import figures, io, job
from advdyn.mixture.figures import panel_of, potential


def main(snakemake):
    with job.of(snakemake):
        study = panel_of(io.read(snakemake.input.study), snakemake.wildcards.panel)
        with figures.style():
            figures.save(*potential(study), snakemake.output, partial=study.partial)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
