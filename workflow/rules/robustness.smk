"""The study robustness: networks under attack, standard and adversarially trained."""

IMAGES = f"<results>/data/{RUN.studies['robustness'].settings.dataset}.nc"
TRAINED = "<results>/robustness/training/{cell}/{block}.nc"
SURROGATES = "<results>/robustness/surrogates/whole.nc"


# The Python files of the user's own networks: all of them, and the one that a job trains or attacks.
OWN = list(RUN.studies["robustness"].settings.modules.values())
COLLECTION = Collection(
    "robustness",
    {
        "train": ("train_robustness", TRAINED),
        "attack": (
            "attack_robustness",
            "<results>/robustness/attacks/{cell}/{block}.nc",
        ),
        "train_surrogate": ("train_robustness_surrogate", SURROGATES),
        "transfer": ("transfer_robustness", "<results>/robustness/transfer/whole.nc"),
        "scale": ("scale_robustness", "<results>/robustness/scale/whole.nc"),
        "illustrate": (
            "illustrate_robustness",
            "<results>/robustness/illustrations/whole.nc",
        ),
    },
    parts=["attack", "transfer", "scale", "illustrate"],
    data=True,
    files=lambda step, model: (
        [model.modules[model.model]]
        if step in ("train", "attack") and model.model in model.modules
        else []
    ),
)


# The size at which figures and claims compare models: a setting of the study, and of none of the jobs collected.
COLLECTED_POINT = COLLECTION.point | {
    "eps_reference": RUN.studies["robustness"].settings.eps_reference
}


rule train_robustness:
    """Train the networks of one cell and block of seeds, all lanes in one job."""
    input:
        data=IMAGES,
        own=COLLECTION.own("train"),
        code=code_of("train_robustness"),
    output:
        record=TRAINED,
        weights="<results>/robustness/training/{cell}/{block}.safetensors",
    log:
        "<logs>/robustness/training/{cell}/{block}.log",
    benchmark:
        "<logs>/robustness/training/{cell}/{block}.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("robustness", "train"),
    params:
        point=point_of("robustness", "train"),
    message:
        "Training robustness {wildcards.cell}, {wildcards.block}"
    script:
        "../../scripts/train_robustness.py"


rule attack_robustness:
    """Attack the trained networks with every attack, eps and clipping."""
    input:
        data=IMAGES,
        record=TRAINED,
        weights="<results>/robustness/training/{cell}/{block}.safetensors",
        own=COLLECTION.own("attack"),
        code=code_of("attack_robustness"),
    output:
        "<results>/robustness/attacks/{cell}/{block}.nc",
    log:
        "<logs>/robustness/attacks/{cell}/{block}.log",
    benchmark:
        "<logs>/robustness/attacks/{cell}/{block}.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("robustness", "attack"),
    params:
        point=point_of("robustness", "attack"),
    message:
        "Attacking robustness {wildcards.cell}, {wildcards.block}"
    script:
        "../../scripts/attack_robustness.py"


rule train_robustness_surrogate:
    """Train surrogates on the labels that the compared networks give."""
    input:
        data=IMAGES,
        record=COLLECTION.before("train_surrogate", "train"),
        weights=COLLECTION.before("train_surrogate", "train", ".safetensors"),
        own=OWN,
        code=code_of("train_robustness_surrogate"),
    output:
        record=SURROGATES,
        weights="<results>/robustness/surrogates/whole.safetensors",
    log:
        "<logs>/robustness/surrogates.log",
    benchmark:
        "<logs>/robustness/surrogates.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("robustness", "train_surrogate"),
    params:
        point=point_of("robustness", "train_surrogate"),
    message:
        "Training the surrogates of robustness"
    script:
        "../../scripts/train_robustness_surrogate.py"


rule transfer_robustness:
    """Judge each compared network on examples made for another one, or for its surrogate."""
    input:
        data=IMAGES,
        record=COLLECTION.before("transfer", "train"),
        weights=COLLECTION.before("transfer", "train", ".safetensors"),
        own=OWN,
        surrogates=SURROGATES,
        surrogate_weights="<results>/robustness/surrogates/whole.safetensors",
        code=code_of("transfer_robustness"),
    output:
        "<results>/robustness/transfer/whole.nc",
    log:
        "<logs>/robustness/transfer.log",
    benchmark:
        "<logs>/robustness/transfer.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("robustness", "transfer"),
    params:
        point=point_of("robustness", "transfer"),
    message:
        "Transferring examples of robustness"
    script:
        "../../scripts/transfer_robustness.py"


rule scale_robustness:
    """Train and attack networks on images of several resolutions."""
    input:
        data=IMAGES,
        code=code_of("scale_robustness"),
    output:
        "<results>/robustness/scale/whole.nc",
    log:
        "<logs>/robustness/scale.log",
    benchmark:
        "<logs>/robustness/scale.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("robustness", "scale"),
    params:
        point=point_of("robustness", "scale"),
    message:
        "Training robustness at several resolutions"
    script:
        "../../scripts/scale_robustness.py"


rule illustrate_robustness:
    """Make the adversarial images, rays, filters and fooling images that are shown."""
    input:
        data=IMAGES,
        record=COLLECTION.before("illustrate", "train"),
        weights=COLLECTION.before("illustrate", "train", ".safetensors"),
        own=OWN,
        code=code_of("illustrate_robustness"),
    output:
        "<results>/robustness/illustrations/whole.nc",
    log:
        "<logs>/robustness/illustrations.log",
    benchmark:
        "<logs>/robustness/illustrations.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("robustness", "illustrate"),
    params:
        point=point_of("robustness", "illustrate"),
    message:
        "Making the pictures of robustness"
    script:
        "../../scripts/illustrate_robustness.py"


rule collect_robustness:
    """Collect errors, transfer and scaling into one labelled data set, and the pictures into another."""
    input:
        **COLLECTION.inputs,
        code=code_of("collect_robustness"),
    output:
        study="<collected>/robustness/robustness.nc",
        illustrations="<collected>/robustness/illustrations.nc",
    log:
        "<logs>/robustness/collect.log",
    benchmark:
        "<logs>/robustness/collect.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("robustness", "collect"),
    params:
        point=COLLECTED_POINT,
    message:
        "Collecting the study robustness"
    script:
        "../../scripts/collect_robustness.py"


rule assess_robustness:
    """Measure the claims of the study and their controls."""
    input:
        study="<collected>/robustness/robustness.nc",
        illustrations="<collected>/robustness/illustrations.nc",
        code=code_of("assess_robustness"),
    output:
        "<collected>/robustness/tables/claims.csv",
    log:
        "<logs>/robustness/assess.log",
    benchmark:
        "<logs>/robustness/assess.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("robustness", "assess"),
    params:
        point=point_of("robustness", "assess"),
    message:
        "Assessing the claims of robustness"
    script:
        "../../scripts/assess_robustness.py"


rule plot_robustness_curves:
    """Draw the error against the size of the attack."""
    input:
        study="<collected>/robustness/robustness.nc",
        code=code_of("plot_robustness_curves"),
    output:
        figure(
            "robustness/figures/curves",
            "robustness_curves",
            "robustness",
            "Robustness curves",
        ),
    log:
        "<logs>/robustness/figures/curves.log",
    benchmark:
        "<logs>/robustness/figures/curves.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("robustness", "plot_curves"),
    params:
        point=point_of("robustness", "plot_curves"),
    message:
        "Drawing the robustness curves"
    script:
        "../../scripts/plot_robustness_curves.py"


rule plot_robustness_attacks:
    """Draw the error under every attack of the table."""
    input:
        study="<collected>/robustness/robustness.nc",
        code=code_of("plot_robustness_attacks"),
    output:
        figure(
            "robustness/figures/attacks",
            "robustness_attacks",
            "robustness",
            "Every attack",
        ),
    log:
        "<logs>/robustness/figures/attacks.log",
    benchmark:
        "<logs>/robustness/figures/attacks.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("robustness", "plot_attacks"),
    params:
        point=point_of("robustness", "plot_attacks"),
    message:
        "Drawing every attack"
    script:
        "../../scripts/plot_robustness_attacks.py"


rule plot_robustness_confidence:
    """Draw the confidence of mistakes and the smallest attacks that succeed."""
    input:
        study="<collected>/robustness/robustness.nc",
        code=code_of("plot_robustness_confidence"),
    output:
        figure(
            "robustness/figures/confidence",
            "robustness_confidence",
            "robustness",
            "Confidence of mistakes",
        ),
    log:
        "<logs>/robustness/figures/confidence.log",
    benchmark:
        "<logs>/robustness/figures/confidence.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("robustness", "plot_confidence"),
    params:
        point=point_of("robustness", "plot_confidence"),
    message:
        "Drawing the confidence of mistakes"
    script:
        "../../scripts/plot_robustness_confidence.py"


rule plot_robustness_training_eps:
    """Draw the error against the size of the attack in training."""
    input:
        study="<collected>/robustness/robustness.nc",
        code=code_of("plot_robustness_training_eps"),
    output:
        figure(
            "robustness/figures/training_eps",
            "robustness_training_eps",
            "robustness",
            "Size of the training attack",
        ),
    log:
        "<logs>/robustness/figures/training_eps.log",
    benchmark:
        "<logs>/robustness/figures/training_eps.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("robustness", "plot_training_eps"),
    params:
        point=point_of("robustness", "plot_training_eps"),
    message:
        "Drawing the error against eps_train"
    script:
        "../../scripts/plot_robustness_training_eps.py"


rule plot_robustness_capacity:
    """Draw the error against width and depth."""
    input:
        study="<collected>/robustness/robustness.nc",
        code=code_of("plot_robustness_capacity"),
    output:
        figure(
            "robustness/figures/capacity",
            "robustness_capacity",
            "robustness",
            "Capacity",
        ),
    log:
        "<logs>/robustness/figures/capacity.log",
    benchmark:
        "<logs>/robustness/figures/capacity.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("robustness", "plot_capacity"),
    params:
        point=point_of("robustness", "plot_capacity"),
    message:
        "Drawing the error against capacity"
    script:
        "../../scripts/plot_robustness_capacity.py"


rule plot_robustness_regularisation:
    """Draw the change of the clean error by adversarial training and by noise."""
    input:
        study="<collected>/robustness/robustness.nc",
        code=code_of("plot_robustness_regularisation"),
    output:
        figure(
            "robustness/figures/regularisation",
            "robustness_regularisation",
            "robustness",
            "Regularisation",
        ),
    log:
        "<logs>/robustness/figures/regularisation.log",
    benchmark:
        "<logs>/robustness/figures/regularisation.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("robustness", "plot_regularisation"),
    params:
        point=point_of("robustness", "plot_regularisation"),
    message:
        "Drawing the regularisation"
    script:
        "../../scripts/plot_robustness_regularisation.py"


rule plot_robustness_linearity:
    """Draw the margin against its tangent, and the norms of its gradient."""
    input:
        study="<collected>/robustness/robustness.nc",
        code=code_of("plot_robustness_linearity"),
    output:
        figure(
            "robustness/figures/linearity",
            "robustness_linearity",
            "robustness",
            "Linearity and local constancy",
        ),
    log:
        "<logs>/robustness/figures/linearity.log",
    benchmark:
        "<logs>/robustness/figures/linearity.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("robustness", "plot_linearity"),
    params:
        point=point_of("robustness", "plot_linearity"),
    message:
        "Drawing the linearity"
    script:
        "../../scripts/plot_robustness_linearity.py"


rule plot_robustness_rays:
    """Draw the logits along the ray of the attack."""
    input:
        illustrations="<collected>/robustness/illustrations.nc",
        code=code_of("plot_robustness_rays"),
    output:
        figure(
            "robustness/figures/rays",
            "robustness_rays",
            "robustness",
            "Logits along the ray",
        ),
    log:
        "<logs>/robustness/figures/rays.log",
    benchmark:
        "<logs>/robustness/figures/rays.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("robustness", "plot_rays"),
    params:
        point=point_of("robustness", "plot_rays"),
    message:
        "Drawing the rays"
    script:
        "../../scripts/plot_robustness_rays.py"


rule plot_robustness_transfer:
    """Draw the error under examples made for another network."""
    input:
        study="<collected>/robustness/robustness.nc",
        code=code_of("plot_robustness_transfer"),
    output:
        figure(
            "robustness/figures/transfer",
            "robustness_transfer",
            "robustness",
            "Transfer",
        ),
    log:
        "<logs>/robustness/figures/transfer.log",
    benchmark:
        "<logs>/robustness/figures/transfer.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("robustness", "plot_transfer"),
    params:
        point=point_of("robustness", "plot_transfer"),
    message:
        "Drawing the transfer"
    script:
        "../../scripts/plot_robustness_transfer.py"


rule plot_robustness_gallery:
    """Draw attacked images, and images that fool."""
    input:
        illustrations="<collected>/robustness/illustrations.nc",
        code=code_of("plot_robustness_gallery"),
    output:
        figure(
            "robustness/figures/gallery", "robustness_gallery", "robustness", "Gallery"
        ),
    log:
        "<logs>/robustness/figures/gallery.log",
    benchmark:
        "<logs>/robustness/figures/gallery.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("robustness", "plot_gallery"),
    params:
        point=point_of("robustness", "plot_gallery"),
    message:
        "Drawing the gallery"
    script:
        "../../scripts/plot_robustness_gallery.py"


rule plot_robustness_filters:
    """Draw the first-layer weights with and without adversarial training."""
    input:
        illustrations="<collected>/robustness/illustrations.nc",
        code=code_of("plot_robustness_filters"),
    output:
        figure(
            "robustness/figures/filters", "robustness_filters", "robustness", "Filters"
        ),
    log:
        "<logs>/robustness/figures/filters.log",
    benchmark:
        "<logs>/robustness/figures/filters.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("robustness", "plot_filters"),
    params:
        point=point_of("robustness", "plot_filters"),
    message:
        "Drawing the filters"
    script:
        "../../scripts/plot_robustness_filters.py"


rule plot_robustness_scale:
    """Draw the reach of a small attack against the number of pixels."""
    input:
        study="<collected>/robustness/robustness.nc",
        code=code_of("plot_robustness_scale"),
    output:
        figure(
            "robustness/figures/scale", "robustness_scale", "robustness", "Resolution"
        ),
    log:
        "<logs>/robustness/figures/scale.log",
    benchmark:
        "<logs>/robustness/figures/scale.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("robustness", "plot_scale"),
    params:
        point=point_of("robustness", "plot_scale"),
    message:
        "Drawing the dependence on resolution"
    script:
        "../../scripts/plot_robustness_scale.py"


rule plot_robustness_masking:
    """Draw the runs whose gradients are masked."""
    input:
        study="<collected>/robustness/robustness.nc",
        code=code_of("plot_robustness_masking"),
    output:
        figure(
            "robustness/figures/masking",
            "robustness_masking",
            "robustness",
            "Masked gradients",
        ),
    log:
        "<logs>/robustness/figures/masking.log",
    benchmark:
        "<logs>/robustness/figures/masking.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("robustness", "plot_masking"),
    params:
        point=point_of("robustness", "plot_masking"),
    message:
        "Drawing the masked gradients"
    script:
        "../../scripts/plot_robustness_masking.py"


TARGETS["robustness"] = expand(
    "<collected>/robustness/figures/{kind}.{suffix}",
    kind=[
        "curves",
        "attacks",
        "confidence",
        "training_eps",
        "capacity",
        "regularisation",
        "linearity",
        "rays",
        "transfer",
        "gallery",
        "filters",
        "scale",
        "masking",
    ],
    suffix=SUFFIXES,
)
