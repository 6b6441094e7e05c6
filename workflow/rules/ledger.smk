"""The ledger: what every study of the run found of the claims it covers."""


rule collect_claims:
    """Gather the verdicts of all studies; an empty ledger is an error."""
    input:
        tables=expand("<collected>/{study}/tables/claims.csv", study=RUN.studies),
        code=code_of("collect_claims"),
    output:
        csv="<collected>/claims.csv",
        html=report(
            "<collected>/claims.html",
            caption="../report/claims.rst",
            category="Ledger",
            labels={"table": "claims and verdicts"},
        ),
    log:
        "<logs>/claims.log",
    benchmark:
        "<logs>/claims.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **asked_for(lambda wildcards: Cost(2.0 + 0.1 * len(RUN.studies), 150.0)),
    params:
        point={},
    message:
        "Writing the ledger of claims"
    script:
        "../../scripts/collect_claims.py"
