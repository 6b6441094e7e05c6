"""Rule assess_mixture: the claims of the study mixture, each with its control."""

from advdyn import claims, io, job
from advdyn.mixture.claims import CLAIMS, context


def main(snakemake):
    with job.of(snakemake):
        study, scaling = io.read(snakemake.input.study), io.read(snakemake.input.scaling)
        io.write_table(
            claims.assess(
                "mixture", CLAIMS, study, scaling, context=context(study), partial=study.attrs.get("partial", "")
            ),
            snakemake.output[0],
        )


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
