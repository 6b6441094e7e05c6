"""Rule assess_generation: the claims on generative adversarial networks, gates of the method, and their controls."""

from advdyn import io, job
from advdyn.claims import assess
from advdyn.generation.claims import CLAIMS, context


def main(snakemake):
    with job.of(snakemake):
        study = io.read(snakemake.input.study)
        table = assess("generation", CLAIMS, study, context=context(study), partial=study.attrs.get("partial", ""))
        io.write_table(table, snakemake.output[0])


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
