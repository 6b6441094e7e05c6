"""Rule train_robustness_surrogate: networks trained on the labels that the compared ones give."""

from advdyn import io, job
from advdyn.data import load
from advdyn.robustness import trained, transfer, weights


def main(snakemake):
    with job.of(snakemake) as point:
        given = snakemake.input
        images = load.load(given.data, dtype=point["dtype"])
        compared = transfer.compared(trained.read_all(given.record, given.weights, images), point["eps_reference"])
        settings = {name: value for name, value in point.items() if name != "eps_reference"}
        record, networks = transfer.surrogates(compared, images, **settings)
        io.write(record, snakemake.output.record, point, given.code, [given.data, *given.record])
        weights.save(snakemake.output.weights, networks, io.identity_of(snakemake.output.record))


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
