"""The study generation: a generative adversarial network on images, judged from outside the game."""

RUNS = "<results>/generation/training/{cell}/{block}.nc"
COLLECTION = Collection(
    "generation",
    {
        "train": ("train_generation", RUNS),
        "train_judge": ("train_generation_judge", "<results>/generation/judge.nc"),
        "evaluate": (
            "evaluate_generation",
            "<results>/generation/evaluation/{cell}/{block}.nc",
        ),
        "evaluate_references": (
            "evaluate_generation_references",
            "<results>/generation/references.nc",
        ),
    },
    parts=["train", "evaluate", "evaluate_references"],
    data=True,
)


# The settings from which figures and claims start: of the study, and of none of the jobs collected.
COLLECTED_POINT = COLLECTION.point | {
    "reference": {
        name: getattr(RUN.studies["generation"].settings, name)
        for name, field in RUN.studies["generation"].model.fields().items()
        if field.json_schema_extra["sweep"] or name in ("samples", "judge_images")
    }
}


rule train_generation:
    """Train the networks of one cell and block of seeds, on a GPU all in one batch of tensors."""
    input:
        data=COLLECTION.images("train"),
        code=code_of("train_generation"),
    output:
        record=RUNS,
        weights="<results>/generation/training/{cell}/{block}.safetensors",
    log:
        "<logs>/generation/training/{cell}/{block}.log",
    benchmark:
        "<logs>/generation/training/{cell}/{block}.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("generation", "train"),
    params:
        point=point_of("generation", "train"),
    message:
        "Training generation {wildcards.cell}, {wildcards.block}"
    script:
        "../../scripts/train_generation.py"


rule train_generation_judge:
    """Train the classifier that judges samples, on images of its own."""
    input:
        data=COLLECTION.images("train_judge"),
        code=code_of("train_generation_judge"),
    output:
        "<results>/generation/judge.nc",
    log:
        "<logs>/generation/judge.log",
    benchmark:
        "<logs>/generation/judge.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("generation", "train_judge"),
    params:
        point=point_of("generation", "train_judge"),
    message:
        "Training the judge"
    script:
        "../../scripts/train_generation_judge.py"


rule evaluate_generation:
    """Judge the generators kept over training, with random numbers of its own."""
    input:
        data=COLLECTION.images("evaluate"),
        record=RUNS,
        weights="<results>/generation/training/{cell}/{block}.safetensors",
        judge="<results>/generation/judge.nc",
        code=code_of("evaluate_generation"),
    output:
        "<results>/generation/evaluation/{cell}/{block}.nc",
    log:
        "<logs>/generation/evaluation/{cell}/{block}.log",
    benchmark:
        "<logs>/generation/evaluation/{cell}/{block}.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("generation", "evaluate"),
    params:
        point=point_of("generation", "evaluate"),
    message:
        "Judging generation {wildcards.cell}, {wildcards.block}"
    script:
        "../../scripts/evaluate_generation.py"


rule evaluate_generation_references:
    """Judge real images, copies of the training images, a fitted Gaussian and noise."""
    input:
        data=COLLECTION.images("evaluate_references"),
        judge="<results>/generation/judge.nc",
        code=code_of("evaluate_generation_references"),
    output:
        "<results>/generation/references.nc",
    log:
        "<logs>/generation/references.log",
    benchmark:
        "<logs>/generation/references.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("generation", "evaluate_references"),
    params:
        point=point_of("generation", "evaluate_references"),
    message:
        "Judging the references of generation"
    script:
        "../../scripts/evaluate_generation_references.py"


rule collect_generation:
    """Collect training, judgements and references into one labelled data set."""
    input:
        **COLLECTION.inputs,
        code=code_of("collect_generation"),
    output:
        "<collected>/generation/generation.nc",
    log:
        "<logs>/generation/collect.log",
    benchmark:
        "<logs>/generation/collect.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("generation", "collect"),
    params:
        point=COLLECTED_POINT,
    message:
        "Collecting the study generation"
    script:
        "../../scripts/collect_generation.py"


rule assess_generation:
    """Measure the claims of the study, the gates of the method, and their controls."""
    input:
        study="<collected>/generation/generation.nc",
        code=code_of("assess_generation"),
    output:
        "<collected>/generation/tables/claims.csv",
    log:
        "<logs>/generation/assess.log",
    benchmark:
        "<logs>/generation/assess.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("generation", "assess"),
    params:
        point=point_of("generation", "assess"),
    message:
        "Assessing the claims of generation"
    script:
        "../../scripts/assess_generation.py"


rule plot_generation_samples:
    """Draw samples over training, beside real images and the references."""
    input:
        study="<collected>/generation/generation.nc",
        code=code_of("plot_generation_samples"),
    output:
        figure(
            "generation/figures/samples", "generation_samples", "generation", "Samples"
        ),
    log:
        "<logs>/generation/figures/samples.log",
    benchmark:
        "<logs>/generation/figures/samples.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("generation", "plot_samples"),
    params:
        point=point_of("generation", "plot_samples"),
    message:
        "Drawing the samples"
    script:
        "../../scripts/plot_generation_samples.py"


rule plot_generation_metrics:
    """Draw every metric over training, with the references as bands."""
    input:
        study="<collected>/generation/generation.nc",
        code=code_of("plot_generation_metrics"),
    output:
        figure(
            "generation/figures/metrics",
            "generation_metrics",
            "generation",
            "Metrics over training",
        ),
    log:
        "<logs>/generation/figures/metrics.log",
    benchmark:
        "<logs>/generation/figures/metrics.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("generation", "plot_metrics"),
    params:
        point=point_of("generation", "plot_metrics"),
    message:
        "Drawing the metrics"
    script:
        "../../scripts/plot_generation_metrics.py"


rule plot_generation_discriminator:
    """Draw the accuracy of the discriminator in the loop beside that of a fresh one."""
    input:
        study="<collected>/generation/generation.nc",
        code=code_of("plot_generation_discriminator"),
    output:
        figure(
            "generation/figures/discriminator",
            "generation_discriminator",
            "generation",
            "Discriminator, in the loop and fresh",
        ),
    log:
        "<logs>/generation/figures/discriminator.log",
    benchmark:
        "<logs>/generation/figures/discriminator.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("generation", "plot_discriminator"),
    params:
        point=point_of("generation", "plot_discriminator"),
    message:
        "Drawing the discriminators"
    script:
        "../../scripts/plot_generation_discriminator.py"


rule plot_generation_classes:
    """Draw the shares of the classes among the samples."""
    input:
        study="<collected>/generation/generation.nc",
        code=code_of("plot_generation_classes"),
    output:
        figure(
            "generation/figures/classes", "generation_classes", "generation", "Classes"
        ),
    log:
        "<logs>/generation/figures/classes.log",
    benchmark:
        "<logs>/generation/figures/classes.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("generation", "plot_classes"),
    params:
        point=point_of("generation", "plot_classes"),
    message:
        "Drawing the class shares"
    script:
        "../../scripts/plot_generation_classes.py"


rule plot_generation_settings:
    """Draw the metrics at the end over the settings swept."""
    input:
        study="<collected>/generation/generation.nc",
        code=code_of("plot_generation_settings"),
    output:
        figure(
            "generation/figures/settings",
            "generation_settings",
            "generation",
            "Settings",
        ),
    log:
        "<logs>/generation/figures/settings.log",
    benchmark:
        "<logs>/generation/figures/settings.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("generation", "plot_settings"),
    params:
        point=point_of("generation", "plot_settings"),
    message:
        "Drawing the settings"
    script:
        "../../scripts/plot_generation_settings.py"


rule plot_generation_nearest:
    """Draw samples beside their nearest training images."""
    input:
        study="<collected>/generation/generation.nc",
        code=code_of("plot_generation_nearest"),
    output:
        figure(
            "generation/figures/nearest",
            "generation_nearest",
            "generation",
            "Nearest training images",
        ),
    log:
        "<logs>/generation/figures/nearest.log",
    benchmark:
        "<logs>/generation/figures/nearest.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("generation", "plot_nearest"),
    params:
        point=point_of("generation", "plot_nearest"),
    message:
        "Drawing the nearest images"
    script:
        "../../scripts/plot_generation_nearest.py"


TARGETS["generation"] = expand(
    "<collected>/generation/figures/{kind}.{suffix}",
    kind=["samples", "metrics", "discriminator", "classes", "settings", "nearest"],
    suffix=SUFFIXES,
)
