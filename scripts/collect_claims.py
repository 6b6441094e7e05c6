"""Rule collect_claims: the ledger of all studies of the run, as CSV and as a page."""

from advdyn import claims, io, job
from advdyn.atomic import whole


def main(snakemake):
    with job.of(snakemake):
        ledger = claims.gather(snakemake.input.tables)
        io.write_table(ledger, snakemake.output.csv)
        with whole(snakemake.output.html) as part:
            part.write_text(claims.page(ledger), encoding="utf-8")


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
