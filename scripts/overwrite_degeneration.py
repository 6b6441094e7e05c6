"""Rule overwrite_degeneration: a copy of the data, inside the results, overwritten with their own degeneration."""

from pathlib import Path

from advdyn import io, job, weights
from advdyn.degeneration import chosen, overwrite


def main(snakemake):
    with job.of(snakemake) as point:
        given = snakemake.input
        source, home = Path(given.source[0]).parent, Path(snakemake.output[0]).parent
        read, settings = [io.read(file) for file in given.outputs], dict(point)
        sigma = settings.pop("sigma")
        outputs = {io.point_of(found)["kind"]: chosen.run(found, sigma) for found in read}
        trained = chosen.weights(weights.load(given.weights[0], io.identity_of(given.record[0])), read[0], sigma)
        found = overwrite.run(source, home / "sandbox", home.parent, outputs, trained, **settings)
        io.write(found, snakemake.output[0], point, given.code, [*given.record, given.export])


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
