"""Rule assess_turing: the claims on pseudo-reaction-diffusion, their measured verdicts and controls."""

from advdyn import io, job
from advdyn.claims import assess
from advdyn.turing.claims import CLAIMS, context


def main(snakemake):
    with job.of(snakemake):
        study, pictures = io.read(snakemake.input.study), io.read(snakemake.input.illustrations)
        partial = study.attrs.get("partial", "")
        table = assess("turing", CLAIMS, study, pictures, context=context(study), partial=partial)
        io.write_table(table, snakemake.output[0])


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
