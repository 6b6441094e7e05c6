"""Rule assess_logistic: the claims on logistic regression, their measured verdicts and controls."""

from advdyn import io, job
from advdyn.claims import assess
from advdyn.logistic.claims import CLAIMS


def main(snakemake):
    with job.of(snakemake):
        study = io.read(snakemake.input.study)
        io.write_table(assess("logistic", CLAIMS, study, partial=study.attrs.get("partial", "")), snakemake.output[0])


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
