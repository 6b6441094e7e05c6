"""Rule measure_degeneration: how random the outputs look, and what of the originals can be recovered."""

from advdyn import io, job
from advdyn.data import load
from advdyn.degeneration import album, measure


def main(snakemake):
    with job.of(snakemake) as point:
        given = snakemake.input
        images = load.load(given.data[0], dtype=point["dtype"])
        found = measure.run(io.read(given.outputs), images, album.patches(images.shape), **point)
        io.write(found, snakemake.output[0], point, given.code, [*given.data, given.record])


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
