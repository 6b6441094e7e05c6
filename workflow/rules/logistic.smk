"""The study logistic: two digits of MNIST, standard and adversarial logistic regression at the optimum."""

DIGITS = f"<results>/data/{RUN.studies['logistic'].settings.dataset}.nc"
TRAINED = "<results>/logistic/training/{cell}.nc"
EVALUATED = "<results>/logistic/evaluation/{cell}.nc"
COLLECTION = Collection(
    "logistic",
    {
        "train": ("train_logistic", TRAINED),
        "evaluate": ("evaluate_logistic", EVALUATED),
    },
    parts=["evaluate"],
    data=True,
)


rule train_logistic:
    """Solve the convex problem of every lane, as one batch."""
    input:
        data=DIGITS,
        code=code_of("train_logistic"),
    output:
        TRAINED,
    log:
        "<logs>/logistic/training/{cell}.log",
    benchmark:
        "<logs>/logistic/training/{cell}.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("logistic", "train"),
    params:
        point=point_of("logistic", "train"),
    message:
        "Training logistic {wildcards.cell}"
    script:
        "../../scripts/train_logistic.py"


rule evaluate_logistic:
    """Measure the exact error against the size of the attack."""
    input:
        data=DIGITS,
        trained=TRAINED,
        code=code_of("evaluate_logistic"),
    output:
        EVALUATED,
    log:
        "<logs>/logistic/evaluation/{cell}.log",
    benchmark:
        "<logs>/logistic/evaluation/{cell}.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("logistic", "evaluate"),
    params:
        point=point_of("logistic", "evaluate"),
    message:
        "Evaluating logistic {wildcards.cell}"
    script:
        "../../scripts/evaluate_logistic.py"


rule collect_logistic:
    """Collect the evaluations into one labelled data set."""
    input:
        **COLLECTION.inputs,
        code=code_of("collect_logistic"),
    output:
        study="<collected>/logistic/logistic.nc",
    log:
        "<logs>/logistic/collect.log",
    benchmark:
        "<logs>/logistic/collect.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("logistic", "collect"),
    params:
        point=COLLECTION.point,
    message:
        "Collecting the study logistic"
    script:
        "../../scripts/collect_logistic.py"


rule assess_logistic:
    """Measure the claims of the study and their controls."""
    input:
        study="<collected>/logistic/logistic.nc",
        code=code_of("assess_logistic"),
    output:
        "<collected>/logistic/tables/claims.csv",
    log:
        "<logs>/logistic/assess.log",
    benchmark:
        "<logs>/logistic/assess.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("logistic", "assess"),
    params:
        point=point_of("logistic", "assess"),
    message:
        "Assessing the claims of logistic"
    script:
        "../../scripts/assess_logistic.py"


rule plot_logistic_weights:
    """Draw the weight images and their sign patterns."""
    input:
        study="<collected>/logistic/logistic.nc",
        code=code_of("plot_logistic_weights"),
    output:
        figure("logistic/figures/weights", "logistic_weights", "logistic", "Weights"),
    log:
        "<logs>/logistic/figures/weights.log",
    benchmark:
        "<logs>/logistic/figures/weights.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("logistic", "plot_weights"),
    params:
        point=point_of("logistic", "plot_weights"),
    message:
        "Drawing the weights of logistic"
    script:
        "../../scripts/plot_logistic_weights.py"


rule plot_logistic_outputs:
    """Draw the outputs before and after the attack."""
    input:
        study="<collected>/logistic/logistic.nc",
        code=code_of("plot_logistic_outputs"),
    output:
        figure(
            "logistic/figures/outputs",
            "logistic_outputs",
            "logistic",
            "Outputs before and after the attack",
        ),
    log:
        "<logs>/logistic/figures/outputs.log",
    benchmark:
        "<logs>/logistic/figures/outputs.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("logistic", "plot_outputs"),
    params:
        point=point_of("logistic", "plot_outputs"),
    message:
        "Drawing the outputs of logistic"
    script:
        "../../scripts/plot_logistic_outputs.py"


rule plot_logistic_errors:
    """Draw the error against the size of the attack."""
    input:
        study="<collected>/logistic/logistic.nc",
        code=code_of("plot_logistic_errors"),
    output:
        figure(
            "logistic/figures/errors",
            "logistic_errors",
            "logistic",
            "Error against attack size",
        ),
    log:
        "<logs>/logistic/figures/errors.log",
    benchmark:
        "<logs>/logistic/figures/errors.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("logistic", "plot_errors"),
    params:
        point=point_of("logistic", "plot_errors"),
    message:
        "Drawing the errors of logistic"
    script:
        "../../scripts/plot_logistic_errors.py"


rule plot_logistic_example:
    """Draw an attacked example of each class."""
    input:
        study="<collected>/logistic/logistic.nc",
        code=code_of("plot_logistic_example"),
    output:
        figure(
            "logistic/figures/example",
            "logistic_example",
            "logistic",
            "Attacked examples",
        ),
    log:
        "<logs>/logistic/figures/example.log",
    benchmark:
        "<logs>/logistic/figures/example.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("logistic", "plot_example"),
    params:
        point=point_of("logistic", "plot_example"),
    message:
        "Drawing the example of logistic"
    script:
        "../../scripts/plot_logistic_example.py"


TARGETS["logistic"] = expand(
    "<collected>/logistic/figures/{kind}.{suffix}",
    kind=["weights", "outputs", "errors", "example"],
    suffix=SUFFIXES,
)
