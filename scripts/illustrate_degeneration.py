"""Rule illustrate_degeneration: degenerated images beside FGSM's, for network and viewer (Figure 4)."""

from advdyn import io, job
from advdyn.data import load
from advdyn.degeneration import chosen, illustrate


def main(snakemake):
    with job.of(snakemake) as point:
        given = snakemake.input
        images = load.load(given.data[0])
        read, settings = [io.read(file) for file in given.outputs], dict(point)
        sigma = settings.pop("sigma")
        outputs = {io.point_of(found)["kind"]: chosen.run(found, sigma) for found in read}
        found = illustrate.run(outputs, io.read(given.classifier), images, **settings)
        io.write(found, snakemake.output[0], point, given.code, [*given.data, *given.record, given.classifier])


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
