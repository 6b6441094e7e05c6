"""Rule download_mnist: the four MNIST files from public mirrors."""

import shutil
from pathlib import Path

from advdyn import job
from advdyn.atomic import whole
from advdyn.data import download


def main(snakemake):
    with job.of(snakemake) as point:
        # Snakemake deletes the outputs of a job that fails or runs again, so what has come is kept beside them.
        cache = Path(snakemake.output.train_images).parent / "cache"
        for key, file in download.fetch(cache, **point).items():
            with whole(getattr(snakemake.output, key)) as part:
                shutil.copyfile(file, part)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
