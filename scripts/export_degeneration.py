"""Rule export_degeneration: the data that are to be overwritten, as files of bytes."""

from pathlib import Path

from advdyn import io, job, weights
from advdyn.atomic import whole
from advdyn.data import load
from advdyn.degeneration import chosen, export


def main(snakemake):
    with job.of(snakemake) as point:
        given, made = snakemake.input, snakemake.output
        outputs, sigma = io.read(given.outputs[0]), point["sigma"]
        trained = chosen.weights(weights.load(given.weights[0], io.identity_of(given.record[0])), outputs, sigma)
        images = load.load(given.data[0])
        files = export.run(images, trained, chosen.run(outputs, sigma), n_train=point["n_train"])
        for file, data in zip((made.images, made.discriminator), files, strict=True):
            with whole(file) as part:
                Path(part).write_bytes(data)
        io.write(export.record(files), made.record, point, given.code, [*given.data, *given.record])


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
