"""The study semisupervised: virtual adversarial training with a few labels, beside its controls."""

RUNS = "<results>/semisupervised/training/{cell}/{block}.nc"
COLLECTION = Collection(
    "semisupervised",
    {
        "train": ("train_semisupervised", RUNS),
        "evaluate": (
            "evaluate_semisupervised",
            "<results>/semisupervised/evaluation/{cell}/{block}.nc",
        ),
        "measure_distances": (
            "measure_semisupervised_distances",
            "<results>/semisupervised/distances/{cell}.nc",
        ),
        "train_moons": (
            "train_semisupervised_moons",
            "<results>/semisupervised/moons.nc",
        ),
        "plant": ("plant_semisupervised", "<results>/semisupervised/planted.nc"),
    },
    parts=["train", "evaluate", "measure_distances", "train_moons", "plant"],
    data={"train", "evaluate", "measure_distances", "plant"},
)
# The settings from which figures and claims start: of the study, and of none of the jobs collected.
COLLECTED_POINT = COLLECTION.point | {
    "reference": {
        name: getattr(RUN.studies["semisupervised"].settings, name)
        for name in RUN.studies["semisupervised"].model.fields()
        if name not in ("root", "device")
    }
}


rule train_semisupervised:
    """Train the networks of one cell and block of seeds, on a GPU all in one batch of tensors."""
    input:
        data=COLLECTION.images("train"),
        code=code_of("train_semisupervised"),
    output:
        record=RUNS,
        weights="<results>/semisupervised/training/{cell}/{block}.safetensors",
    log:
        "<logs>/semisupervised/training/{cell}/{block}.log",
    benchmark:
        "<logs>/semisupervised/training/{cell}/{block}.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("semisupervised", "train"),
    params:
        point=point_of("semisupervised", "train"),
    message:
        "Training semisupervised {wildcards.cell}, {wildcards.block}"
    script:
        "../../scripts/train_semisupervised.py"


rule evaluate_semisupervised:
    """Measure errors and local smoothness of trained networks, with random numbers of its own."""
    input:
        data=COLLECTION.images("evaluate"),
        record=RUNS,
        weights="<results>/semisupervised/training/{cell}/{block}.safetensors",
        code=code_of("evaluate_semisupervised"),
    output:
        "<results>/semisupervised/evaluation/{cell}/{block}.nc",
    log:
        "<logs>/semisupervised/evaluation/{cell}/{block}.log",
    benchmark:
        "<logs>/semisupervised/evaluation/{cell}/{block}.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("semisupervised", "evaluate"),
    params:
        point=point_of("semisupervised", "evaluate"),
    message:
        "Evaluating semisupervised {wildcards.cell}, {wildcards.block}"
    script:
        "../../scripts/evaluate_semisupervised.py"


rule measure_semisupervised_distances:
    """Measure how far images of the pool are from the other classes."""
    input:
        data=COLLECTION.images("measure_distances"),
        code=code_of("measure_semisupervised_distances"),
    output:
        "<results>/semisupervised/distances/{cell}.nc",
    log:
        "<logs>/semisupervised/distances/{cell}.log",
    benchmark:
        "<logs>/semisupervised/distances/{cell}.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("semisupervised", "measure_distances"),
    params:
        point=point_of("semisupervised", "measure_distances"),
    message:
        "Measuring distances of classes, {wildcards.cell}"
    script:
        "../../scripts/measure_semisupervised_distances.py"


rule train_semisupervised_moons:
    """Train on two moons, apart and overlapping."""
    input:
        code=code_of("train_semisupervised_moons"),
    output:
        "<results>/semisupervised/moons.nc",
    log:
        "<logs>/semisupervised/moons.log",
    benchmark:
        "<logs>/semisupervised/moons.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("semisupervised", "train_moons"),
    params:
        point=point_of("semisupervised", "train_moons"),
    message:
        "Training on two moons"
    script:
        "../../scripts/train_semisupervised_moons.py"


rule plant_semisupervised:
    """Train with false labels of the pool, false test data, and false labels of the labelled images."""
    input:
        data=COLLECTION.images("plant"),
        code=code_of("plant_semisupervised"),
    output:
        "<results>/semisupervised/planted.nc",
    log:
        "<logs>/semisupervised/planted.log",
    benchmark:
        "<logs>/semisupervised/planted.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("semisupervised", "plant"),
    params:
        point=point_of("semisupervised", "plant"),
    message:
        "Planting false labels"
    script:
        "../../scripts/plant_semisupervised.py"


rule collect_semisupervised:
    """Collect trainings, evaluations, distances and moons into one labelled data set."""
    input:
        **COLLECTION.inputs,
        code=code_of("collect_semisupervised"),
    output:
        "<collected>/semisupervised/semisupervised.nc",
    log:
        "<logs>/semisupervised/collect.log",
    benchmark:
        "<logs>/semisupervised/collect.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("semisupervised", "collect"),
    params:
        point=COLLECTED_POINT,
    message:
        "Collecting the study semisupervised"
    script:
        "../../scripts/collect_semisupervised.py"


rule assess_semisupervised:
    """Measure the claims of the study, the gates of the method, and their controls."""
    input:
        study="<collected>/semisupervised/semisupervised.nc",
        code=code_of("assess_semisupervised"),
    output:
        "<collected>/semisupervised/tables/claims.csv",
    log:
        "<logs>/semisupervised/assess.log",
    benchmark:
        "<logs>/semisupervised/assess.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("semisupervised", "assess"),
    params:
        point=point_of("semisupervised", "assess"),
    message:
        "Assessing the claims of semisupervised"
    script:
        "../../scripts/assess_semisupervised.py"


rule plot_semisupervised_labels:
    """Draw the test error against the number of labels."""
    input:
        study="<collected>/semisupervised/semisupervised.nc",
        code=code_of("plot_semisupervised_labels"),
    output:
        figure(
            "semisupervised/figures/labels",
            "semisupervised_labels",
            "semisupervised",
            "Error against labels",
        ),
    log:
        "<logs>/semisupervised/figures/labels.log",
    benchmark:
        "<logs>/semisupervised/figures/labels.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("semisupervised", "plot_labels"),
    params:
        point=point_of("semisupervised", "plot_labels"),
    message:
        "Drawing the error against labels"
    script:
        "../../scripts/plot_semisupervised_labels.py"


rule plot_semisupervised_eps:
    """Draw the error against the length of the perturbation, and which was chosen."""
    input:
        study="<collected>/semisupervised/semisupervised.nc",
        code=code_of("plot_semisupervised_eps"),
    output:
        figure(
            "semisupervised/figures/eps",
            "semisupervised_eps",
            "semisupervised",
            "Error against eps",
        ),
    log:
        "<logs>/semisupervised/figures/eps.log",
    benchmark:
        "<logs>/semisupervised/figures/eps.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("semisupervised", "plot_eps"),
    params:
        point=point_of("semisupervised", "plot_eps"),
    message:
        "Drawing the error against eps"
    script:
        "../../scripts/plot_semisupervised_eps.py"


rule plot_semisupervised_iterations:
    """Draw how far power iterations have converged, and what more of them change."""
    input:
        study="<collected>/semisupervised/semisupervised.nc",
        code=code_of("plot_semisupervised_iterations"),
    output:
        figure(
            "semisupervised/figures/iterations",
            "semisupervised_iterations",
            "semisupervised",
            "Power iterations",
        ),
    log:
        "<logs>/semisupervised/figures/iterations.log",
    benchmark:
        "<logs>/semisupervised/figures/iterations.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("semisupervised", "plot_iterations"),
    params:
        point=point_of("semisupervised", "plot_iterations"),
    message:
        "Drawing the power iterations"
    script:
        "../../scripts/plot_semisupervised_iterations.py"


rule plot_semisupervised_smoothness:
    """Draw the local smoothness of trained networks against the length of the perturbation."""
    input:
        study="<collected>/semisupervised/semisupervised.nc",
        code=code_of("plot_semisupervised_smoothness"),
    output:
        figure(
            "semisupervised/figures/smoothness",
            "semisupervised_smoothness",
            "semisupervised",
            "Local smoothness",
        ),
    log:
        "<logs>/semisupervised/figures/smoothness.log",
    benchmark:
        "<logs>/semisupervised/figures/smoothness.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("semisupervised", "plot_smoothness"),
    params:
        point=point_of("semisupervised", "plot_smoothness"),
    message:
        "Drawing the local smoothness"
    script:
        "../../scripts/plot_semisupervised_smoothness.py"


rule plot_semisupervised_learning:
    """Draw errors and losses over training."""
    input:
        study="<collected>/semisupervised/semisupervised.nc",
        code=code_of("plot_semisupervised_learning"),
    output:
        figure(
            "semisupervised/figures/learning",
            "semisupervised_learning",
            "semisupervised",
            "Learning curves",
        ),
    log:
        "<logs>/semisupervised/figures/learning.log",
    benchmark:
        "<logs>/semisupervised/figures/learning.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("semisupervised", "plot_learning"),
    params:
        point=point_of("semisupervised", "plot_learning"),
    message:
        "Drawing the learning curves"
    script:
        "../../scripts/plot_semisupervised_learning.py"


rule plot_semisupervised_pseudo_labels:
    """Draw the accuracy of pseudo-labels, and how many of them a virtual adversarial example changes."""
    input:
        study="<collected>/semisupervised/semisupervised.nc",
        code=code_of("plot_semisupervised_pseudo_labels"),
    output:
        figure(
            "semisupervised/figures/pseudo_labels",
            "semisupervised_pseudo_labels",
            "semisupervised",
            "Pseudo-labels",
        ),
    log:
        "<logs>/semisupervised/figures/pseudo_labels.log",
    benchmark:
        "<logs>/semisupervised/figures/pseudo_labels.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("semisupervised", "plot_pseudo_labels"),
    params:
        point=point_of("semisupervised", "plot_pseudo_labels"),
    message:
        "Drawing the pseudo-labels"
    script:
        "../../scripts/plot_semisupervised_pseudo_labels.py"


rule plot_semisupervised_distances:
    """Draw the distances to the nearest other class beside twice eps."""
    input:
        study="<collected>/semisupervised/semisupervised.nc",
        code=code_of("plot_semisupervised_distances"),
    output:
        figure(
            "semisupervised/figures/distances",
            "semisupervised_distances",
            "semisupervised",
            "Distances of classes",
        ),
    log:
        "<logs>/semisupervised/figures/distances.log",
    benchmark:
        "<logs>/semisupervised/figures/distances.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("semisupervised", "plot_distances"),
    params:
        point=point_of("semisupervised", "plot_distances"),
    message:
        "Drawing the distances of classes"
    script:
        "../../scripts/plot_semisupervised_distances.py"


rule plot_semisupervised_moons:
    """Draw decision regions and virtual adversarial directions on two moons."""
    input:
        study="<collected>/semisupervised/semisupervised.nc",
        code=code_of("plot_semisupervised_moons"),
    output:
        figure(
            "semisupervised/figures/moons",
            "semisupervised_moons",
            "semisupervised",
            "Two moons",
        ),
    log:
        "<logs>/semisupervised/figures/moons.log",
    benchmark:
        "<logs>/semisupervised/figures/moons.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("semisupervised", "plot_moons"),
    params:
        point=point_of("semisupervised", "plot_moons"),
    message:
        "Drawing the two moons"
    script:
        "../../scripts/plot_semisupervised_moons.py"


TARGETS["semisupervised"] = expand(
    "<collected>/semisupervised/figures/{kind}.{suffix}",
    kind=[
        "labels",
        "eps",
        "iterations",
        "smoothness",
        "learning",
        "pseudo_labels",
        "distances",
        "moons",
    ],
    suffix=SUFFIXES,
)
