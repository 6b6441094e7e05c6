"""Rule transfer_robustness: examples made for one network, judged by the others."""

from advdyn import devices, io, job
from advdyn.data import load
from advdyn.robustness import networks, trained, transfer, weights


def main(snakemake):
    with job.of(snakemake) as point:
        given = snakemake.input
        images = load.load(given.data, dtype=point["dtype"])
        compared = transfer.compared(trained.read_all(given.record, given.weights, images), point["eps_reference"])
        about = io.read(given.surrogates)
        states = weights.load(given.surrogate_weights, io.identity_of(given.surrogates))
        made_with = io.point_of(about)
        surrogates = networks.restore(
            made_with["surrogate"], images.shape, int(about["classes"]), states, devices.DTYPES[made_with["dtype"]]
        )
        settings = {name: value for name, value in point.items() if name != "eps_reference"}
        found = transfer.run(compared, (about, surrogates), images, **settings)
        found = found.assign_attrs({name: made_with[name] for name in ("surrogate", "surrogate_epochs")})
        io.write(found, snakemake.output[0], point, given.code, [given.data, *given.record, given.surrogates])


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
