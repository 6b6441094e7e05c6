"""Rule bound_turing: the bounds of Theorems 1 and 2, the Bernoulli-type equation, and whether they hold on the runs."""

from advdyn import io, job
from advdyn.data import load
from advdyn.turing import bounds


def main(snakemake):
    with job.of(snakemake) as point:
        record = io.read(snakemake.input.record)
        made_with = io.point_of(record)
        images = load.load(snakemake.input.data[0], dtype="float64")
        found = bounds.run(record, images, point=made_with, **point)
        sources = [*snakemake.input.data, snakemake.input.record]
        io.write(found, snakemake.output[0], point, snakemake.input.code, sources)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
