"""Rule collect_robustness: errors, transfer and scaling as one labelled data set, the pictures as another."""

from advdyn import io, job
from advdyn.collect import combine, read_parts
from advdyn.robustness import collect


def main(snakemake):
    with job.of(snakemake) as point:
        parts = {step: read_parts(snakemake.input[step], part) for step, part in point["parts"].items()}
        attacks = combine(parts["attack"], point["parameters"])
        transfer, scale, pictures = (
            parts[step][0][1] if parts[step] else None for step in ("transfer", "scale", "illustrate")
        )
        study = collect.run(attacks, transfer, scale).assign_coords(
            eps_reference=io.variable(
                (), point["eps_reference"], "attack length at which models are compared", "pixel range"
            )
        )
        pictures = collect.pictures(pictures)
        for dataset, output in ((study, snakemake.output.study), (pictures, snakemake.output.illustrations)):
            io.write(dataset.assign_attrs(partial=point["partial"]), output, point, snakemake.input.code)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
