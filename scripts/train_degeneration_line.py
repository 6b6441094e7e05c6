"""Rule train_degeneration_line: a degenerator on a line (Figure 6)."""

from advdyn import io, job
from advdyn.degeneration import line


def main(snakemake):
    with job.of(snakemake) as point:
        io.write(line.run(**point), snakemake.output[0], point, snakemake.input.code)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
