"""Rule attack_robustness: every attack, eps and clipping on the networks of one cell and block of seeds."""

from advdyn import io, job
from advdyn.data import load
from advdyn.robustness import evaluation, trained


def main(snakemake):
    with job.of(snakemake) as point:
        images = load.load(snakemake.input.data, dtype=point["dtype"])
        record, networks = trained.read(snakemake.input.record, snakemake.input.weights, images)
        found = trained.with_parameters(evaluation.run(record, networks, images, **point), record)
        sources = [snakemake.input.data, snakemake.input.record, *snakemake.input.own]
        io.write(found, snakemake.output[0], point, snakemake.input.code, sources)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
