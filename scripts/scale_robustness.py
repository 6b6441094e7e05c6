"""Rule scale_robustness: networks trained and attacked on images of several resolutions."""

from advdyn import io, job
from advdyn.data import load
from advdyn.robustness import scale


def main(snakemake):
    with job.of(snakemake) as point:
        images = load.load(snakemake.input.data, dtype=point["dtype"])
        io.write(scale.run(images, **point), snakemake.output[0], point, snakemake.input.code, [snakemake.input.data])


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
