"""Rule measure_degeneration_references: noise, ciphers, a permutation and FGSM, measured as outputs are."""

from advdyn import io, job
from advdyn.data import load
from advdyn.degeneration import album, references


def main(snakemake):
    with job.of(snakemake) as point:
        given = snakemake.input
        images = load.load(given.data[0], dtype=point["dtype"])
        classifier, urandom = io.read(given.classifier), io.read(given.urandom)
        found = references.run(classifier, urandom, images, album.patches(images.shape), **point)
        io.write(found, snakemake.output[0], point, given.code, [*given.data, given.urandom, given.classifier])


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
