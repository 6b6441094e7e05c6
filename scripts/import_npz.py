"""Rule import_npz: a user's own images from a .npz file."""

from advdyn import io, job
from advdyn.data import npz


def main(snakemake):
    with job.of(snakemake) as point:
        io.write(npz.dataset(snakemake.input.npz, **point), snakemake.output[0], point, snakemake.input.code)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
