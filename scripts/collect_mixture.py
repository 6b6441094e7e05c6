"""Rule collect_mixture: simulation and theory of the study mixture as one labelled data set."""

from advdyn import io, job
from advdyn.collect import combine, read_parts
from advdyn.mixture import collect


def main(snakemake):
    with job.of(snakemake) as point:
        parts = {step: read_parts(snakemake.input[step], part) for step, part in point["parts"].items()}
        study = collect.run(parts["simulate"], parts["integrate"], point["parameters"])
        scaling = combine(parts["scale"], point["parameters"])
        for dataset, output in ((study, snakemake.output.study), (scaling, snakemake.output.scaling)):
            io.write(dataset.assign_attrs(partial=point["partial"]), output, point, snakemake.input.code)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
