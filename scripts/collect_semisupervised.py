"""Rule collect_semisupervised: trainings, evaluations, distances and moons as one labelled data set."""

from advdyn import io, job
from advdyn.collect import read_parts
from advdyn.semisupervised import collect


def main(snakemake):
    with job.of(snakemake) as point:
        parts = {step: read_parts(snakemake.input[step], part) for step, part in point["parts"].items()}
        study = collect.run(parts, point["parameters"], point["reference"])
        io.write(study.assign_attrs(partial=point["partial"]), snakemake.output[0], point, snakemake.input.code)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
