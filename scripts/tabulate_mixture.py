"""Rule tabulate_mixture: z-scores of simulation against theory."""

from advdyn import io, job
from advdyn.mixture import agreement


def main(snakemake):
    with job.of(snakemake):
        io.write_table(agreement.table(io.read(snakemake.input.study)), snakemake.output[0])


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
