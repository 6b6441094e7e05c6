"""Rule illustrate_robustness: adversarial images, rays, filters and fooling images of the compared networks."""

from advdyn import io, job
from advdyn.data import load
from advdyn.robustness import illustrate, trained, transfer


def main(snakemake):
    with job.of(snakemake) as point:
        given = snakemake.input
        images = load.load(given.data, dtype=point["dtype"])
        compared = transfer.compared(trained.read_all(given.record, given.weights, images), point["eps_reference"])
        found = illustrate.run(compared, images, **point)
        io.write(found, snakemake.output[0], point, given.code, [given.data, *given.record])


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
