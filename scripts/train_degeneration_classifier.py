"""Rule train_degeneration_classifier: the classifier that FGSM attacks, and that destroys nothing."""

from advdyn import io, job
from advdyn.data import load
from advdyn.degeneration import classifier


def main(snakemake):
    with job.of(snakemake) as point:
        found = classifier.run(load.load(snakemake.input.data[0]), **point)
        io.write(found, snakemake.output[0], point, snakemake.input.code, snakemake.input.data)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
