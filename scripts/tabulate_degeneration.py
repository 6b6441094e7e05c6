"""Rule tabulate_degeneration: Table 1, the share of data destroyed by each model."""

from advdyn import io, job
from advdyn.degeneration import table


def main(snakemake):
    with job.of(snakemake):
        io.write_table(table.table(io.read(snakemake.input.study)), snakemake.output[0])


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
