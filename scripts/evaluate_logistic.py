"""Rule evaluate_logistic: errors of the trained models of one cell at every eps, with the controls."""

from advdyn import io, job
from advdyn.data import load
from advdyn.logistic import evaluation


def main(snakemake):
    with job.of(snakemake) as point:
        trained = io.read(snakemake.input.trained)
        images = load.load(snakemake.input.data, dtype="float64")
        sources = [snakemake.input.data, snakemake.input.trained]
        io.write(evaluation.run(trained, images, **point), snakemake.output[0], point, snakemake.input.code, sources)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
