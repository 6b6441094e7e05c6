"""Rule sample_mixture: samples of a mixture of two Gaussians."""

from advdyn import io, job
from advdyn.data import synthetic


def main(snakemake):
    with job.of(snakemake) as point:
        io.write(synthetic.mixture(**point), snakemake.output[0], point, snakemake.input.code)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
