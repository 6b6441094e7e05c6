"""Rule evaluate_generation_references: real images, copies, a fitted Gaussian and noise, judged as samples are."""

from advdyn import io, job
from advdyn.data import load
from advdyn.generation import references


def main(snakemake):
    with job.of(snakemake) as point:
        given = snakemake.input
        images = load.load(given.data[0], dtype=point["dtype"])
        found = references.run(io.read(given.judge), images, **point)
        io.write(found, snakemake.output[0], point, given.code, [*given.data, given.judge])


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
