"""Rule linearise_degeneration: the Hessian of the criterion at its optimum (Theorem 1)."""

from advdyn import io, job
from advdyn.degeneration import saddle


def main(snakemake):
    with job.of(snakemake) as point:
        io.write(saddle.run(**point), snakemake.output[0], point, snakemake.input.code)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
