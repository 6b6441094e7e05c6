"""Rule scale_mixture: finite-size fluctuations, and the law of the local potential at small N."""

from advdyn import io, job
from advdyn.mixture import finite_size


def main(snakemake):
    with job.of(snakemake) as point:
        io.write(finite_size.run(**point), snakemake.output[0], point, snakemake.input.code)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
