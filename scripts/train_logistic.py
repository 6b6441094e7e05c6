"""Rule train_logistic: logistic regression, standard and adversarial, all lanes of one cell at once."""

from advdyn import io, job
from advdyn.data import load
from advdyn.logistic import training


def main(snakemake):
    with job.of(snakemake) as point:
        images = load.load(snakemake.input.data, dtype="float64")
        io.write(
            training.run(images, **point), snakemake.output[0], point, snakemake.input.code, [snakemake.input.data]
        )


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
