"""Rule integrate_mixture: the order-parameter equations of one cell, all lanes at once."""

from advdyn import io, job
from advdyn.mixture import theory


def main(snakemake):
    with job.of(snakemake) as point:
        io.write(theory.run(**point), snakemake.output[0], point, snakemake.input.code)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
