"""Rule train_semisupervised: classifiers of one cell, one block of seeds, trained with a few labels."""

from advdyn import io, job, weights
from advdyn.data import load
from advdyn.semisupervised import training


def main(snakemake):
    with job.of(snakemake) as point:
        images = load.load(snakemake.input.data[0], dtype=point["dtype"])
        record, trained = training.run(images, **point)
        io.write(record, snakemake.output.record, point, snakemake.input.code, snakemake.input.data)
        weights.save(snakemake.output.weights, trained, io.identity_of(snakemake.output.record))


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
