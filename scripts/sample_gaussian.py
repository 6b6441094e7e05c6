"""Rule sample_gaussian: Gaussian inputs with random labels, or those of a teacher."""

from advdyn import io, job
from advdyn.data import synthetic


def main(snakemake):
    with job.of(snakemake) as point:
        io.write(synthetic.gaussian(**point), snakemake.output[0], point, snakemake.input.code)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
