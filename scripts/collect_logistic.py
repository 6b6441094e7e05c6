"""Rule collect_logistic: the evaluations of the study logistic as one labelled data set."""

from advdyn import io, job
from advdyn.collect import combine, read_parts


def main(snakemake):
    with job.of(snakemake) as point:
        part = point["parts"]["evaluate"]
        study = combine(read_parts(snakemake.input.evaluate, part), point["parameters"])
        io.write(study.assign_attrs(partial=point["partial"]), snakemake.output.study, point, snakemake.input.code)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
