"""Rule evaluate_semisupervised: errors of the classes predicted, and local smoothness of the trained networks."""

from advdyn import io, job, weights
from advdyn.data import load
from advdyn.semisupervised import evaluation


def main(snakemake):
    with job.of(snakemake) as point:
        given = snakemake.input
        images, record = load.load(given.data[0], dtype=point["dtype"]), io.read(given.record)
        trained = weights.load(given.weights, io.identity_of(given.record))
        found = evaluation.run(record, trained, images, **point)
        io.write(found, snakemake.output[0], point, given.code, [*given.data, given.record])


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
