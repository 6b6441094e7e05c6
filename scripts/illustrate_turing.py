"""Rule illustrate_turing: filters, features and embeddings of the runs that are shown."""

from pathlib import Path

from advdyn import io, job, weights
from advdyn.data import load
from advdyn.turing import illustrate


def main(snakemake):
    with job.of(snakemake) as point:
        records = [io.read(file) for file in snakemake.input.record]
        points = [io.point_of(record) for record in records]
        trained = [
            weights.load(file, io.identity_of(record))
            for file, record in zip(snakemake.input.weights, snakemake.input.record, strict=True)
        ]
        images = {Path(file).stem: load.load(file, dtype=point["dtype"]) for file in snakemake.input.data}
        found = illustrate.run(records, trained, images, points, **point)
        sources = [*snakemake.input.data, *snakemake.input.record]
        io.write(found, snakemake.output[0], point, snakemake.input.code, sources)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
