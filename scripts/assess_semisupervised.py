"""Rule assess_semisupervised: the claims on unlabelled images, gates of the method, and their controls."""

from advdyn import io, job
from advdyn.claims import assess
from advdyn.semisupervised.claims import CLAIMS, context


def main(snakemake):
    with job.of(snakemake):
        study = io.read(snakemake.input.study)
        table = assess("semisupervised", CLAIMS, study, context=context(study), partial=study.attrs.get("partial", ""))
        io.write_table(table, snakemake.output[0])


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
