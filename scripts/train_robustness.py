"""Rule train_robustness: networks of one cell, one block of seeds, all lanes."""

from advdyn import io, job
from advdyn.data import load
from advdyn.robustness import training, weights


def main(snakemake):
    with job.of(snakemake) as point:
        images = load.load(snakemake.input.data, dtype=point["dtype"])
        own = list(snakemake.input.own)
        record, networks = training.run(images, module_file=own[0] if own else None, **point)
        sources = [snakemake.input.data, *own]
        io.write(
            record.assign_attrs(module_file=own[0] if own else ""),
            snakemake.output.record,
            point,
            snakemake.input.code,
            sources,
        )
        weights.save(snakemake.output.weights, networks, io.identity_of(snakemake.output.record))


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
