"""Rule collect_turing: runs, bounds and diagnostics as one labelled data set, the pictures as another."""

from advdyn import io, job
from advdyn.collect import read_parts
from advdyn.turing import collect


def main(snakemake):
    with job.of(snakemake) as point:
        parts = {step: read_parts(snakemake.input[step], part) for step, part in point["parts"].items()}
        pictures = collect.pictures(parts["illustrate"][0][1] if parts["illustrate"] else None)
        steps = {step: parts[step] for step in ("train", "bound", "diagnose")}
        study = collect.run(steps, point["parameters"], point["reference"])
        for dataset, output in ((study, snakemake.output.study), (pictures, snakemake.output.illustrations)):
            io.write(dataset.assign_attrs(partial=point["partial"]), output, point, snakemake.input.code)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
