"""Rule plant_semisupervised: what false labels and false test images change of a training."""

from advdyn import io, job
from advdyn.data import load
from advdyn.semisupervised import plant


def main(snakemake):
    with job.of(snakemake) as point:
        images = load.load(snakemake.input.data[0], dtype=point["dtype"])
        found = plant.run(images, **point)
        io.write(found, snakemake.output[0], point, snakemake.input.code, snakemake.input.data)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
