"""Rule measure_semisupervised_distances: distances of images to the nearest other class."""

from advdyn import io, job
from advdyn.data import load
from advdyn.semisupervised import distances


def main(snakemake):
    with job.of(snakemake) as point:
        images = load.load(snakemake.input.data[0])
        io.write(distances.run(images, **point), snakemake.output[0], point, snakemake.input.code, snakemake.input.data)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
