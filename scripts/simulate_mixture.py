"""Rule simulate_mixture: online adversarial training on a Gaussian mixture, one block of seeds."""

from advdyn import io, job
from advdyn.mixture import simulation


def main(snakemake):
    with job.of(snakemake) as point:
        io.write(simulation.run(**point), snakemake.output[0], point, snakemake.input.code)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
