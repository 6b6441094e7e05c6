"""Rule train_degeneration: GANs, degenerators and chains of one cell, one block of seeds, all lanes."""

from advdyn import io, job, weights
from advdyn.data import load
from advdyn.degeneration import album, training


def main(snakemake):
    with job.of(snakemake) as point:
        given, made = snakemake.input, snakemake.output
        images = load.load(given.data[0], dtype=point["dtype"])
        record, outputs, trained = training.run(images, album.patches(images.shape), **point)
        io.write(record, made.record, point, given.code, given.data)
        io.write(outputs, made.outputs, point, given.code, given.data)
        weights.save(made.weights, trained, io.identity_of(made.record))


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
