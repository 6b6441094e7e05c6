"""Rule import_directory: images from four idx files, a user's own or downloaded."""

from advdyn import io, job
from advdyn.data import directory


def main(snakemake):
    with job.of(snakemake) as point:
        files = snakemake.input
        data = directory.dataset(files.train_images, files.train_labels, files.test_images, files.test_labels, **point)
        io.write(data, snakemake.output[0], point, files.code)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
