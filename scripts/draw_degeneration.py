"""Rule draw_degeneration: bytes of the operating system, drawn once."""

from advdyn import io, job
from advdyn.degeneration import urandom


def main(snakemake):
    with job.of(snakemake) as point:
        io.write(urandom.draw(), snakemake.output[0], point, snakemake.input.code)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
