"""Rule plot_logistic_outputs: outputs on test images before and after the attack."""

from advdyn import figures, io, job
from advdyn.logistic import figures as draw


def main(snakemake):
    with job.of(snakemake), figures.style():
        study = io.read(snakemake.input.study)
        figures.save(*draw.outputs(study), snakemake.output, partial=study.attrs.get("partial", ""))


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
