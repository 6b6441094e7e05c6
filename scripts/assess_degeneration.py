"""Rule assess_degeneration: the claims on degenerative adversarial networks, their measured verdicts and controls."""

from advdyn import io, job
from advdyn.claims import assess
from advdyn.degeneration.claims import CLAIMS, context


def main(snakemake):
    with job.of(snakemake):
        study = io.read(snakemake.input.study)
        table = assess("degeneration", CLAIMS, study, context=context(study), partial=study.attrs.get("partial", ""))
        io.write_table(table, snakemake.output[0])


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
