"""Rule diagnose_turing: patterns, clouds of neurons, late growth and linear stability of the runs of one job."""

from advdyn import io, job, weights
from advdyn.data import load
from advdyn.turing import diagnostics


def main(snakemake):
    with job.of(snakemake) as point:
        record = io.read(snakemake.input.record)
        made_with = io.point_of(record)
        trained = weights.load(snakemake.input.weights, io.identity_of(snakemake.input.record))
        images = load.load(snakemake.input.data[0], dtype=made_with["dtype"])
        found = diagnostics.run(record, trained, images, point=made_with, **point)
        sources = [*snakemake.input.data, snakemake.input.record]
        io.write(found, snakemake.output[0], point, snakemake.input.code, sources)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
