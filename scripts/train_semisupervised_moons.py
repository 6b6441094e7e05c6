"""Rule train_semisupervised_moons: the methods on two moons, apart and overlapping."""

from advdyn import io, job
from advdyn.semisupervised import moons


def main(snakemake):
    with job.of(snakemake) as point:
        io.write(moons.run(**point), snakemake.output[0], point, snakemake.input.code)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
