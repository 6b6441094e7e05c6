"""Rule train_generation_judge: the classifier that judges samples."""

from advdyn import io, job
from advdyn.data import load
from advdyn.generation import judging


def main(snakemake):
    with job.of(snakemake) as point:
        found = judging.run(load.load(snakemake.input.data[0]), **point)
        io.write(found, snakemake.output[0], point, snakemake.input.code, snakemake.input.data)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
