"""Rule evaluate_generation: the generators kept over training, judged from outside the game."""

from advdyn import io, job, weights
from advdyn.data import load
from advdyn.generation import evaluation


def main(snakemake):
    with job.of(snakemake) as point:
        given = snakemake.input
        images = load.load(given.data[0], dtype=point["dtype"])
        record, judge = io.read(given.record), io.read(given.judge)
        trained = weights.load(given.weights, io.identity_of(given.record))
        found = evaluation.run(record, trained, judge, images, **point)
        io.write(found, snakemake.output[0], point, given.code, [*given.data, given.record, given.judge])


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
