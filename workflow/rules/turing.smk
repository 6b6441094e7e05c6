"""The study turing: two-layer networks with and without an adversary, bounds, patterns and controls."""

RUNS = "<results>/turing/training/{cell}/{block}.nc"
COLLECTION = Collection(
    "turing",
    {
        "train": ("train_turing", RUNS),
        "bound": ("bound_turing", "<results>/turing/bounds/{cell}/{block}.nc"),
        "diagnose": (
            "diagnose_turing",
            "<results>/turing/diagnostics/{cell}/{block}.nc",
        ),
        "illustrate": (
            "illustrate_turing",
            "<results>/turing/illustrations/whole.nc",
        ),
    },
    parts=["train", "bound", "diagnose", "illustrate"],
    data=True,
)


# The settings from which figures and claims start: of the study, and of none of the jobs collected.
COLLECTED_POINT = COLLECTION.point | {
    "reference": {
        name: getattr(RUN.studies["turing"].settings, name)
        for name, field in RUN.studies["turing"].model.fields().items()
        if field.json_schema_extra["sweep"]
    }
}


rule train_turing:
    """Train the networks of one cell and block of seeds, all lanes in one batch of tensors."""
    input:
        data=COLLECTION.images("train"),
        code=code_of("train_turing"),
    output:
        record=RUNS,
        weights="<results>/turing/training/{cell}/{block}.safetensors",
    log:
        "<logs>/turing/training/{cell}/{block}.log",
    benchmark:
        "<logs>/turing/training/{cell}/{block}.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("turing", "train"),
    params:
        point=point_of("turing", "train"),
    message:
        "Training turing {wildcards.cell}, {wildcards.block}"
    script:
        "../../scripts/train_turing.py"


rule bound_turing:
    """Evaluate the theory from quantities measured on the runs, and compare."""
    input:
        data=COLLECTION.images("bound"),
        record=RUNS,
        code=code_of("bound_turing"),
    output:
        "<results>/turing/bounds/{cell}/{block}.nc",
    log:
        "<logs>/turing/bounds/{cell}/{block}.log",
    benchmark:
        "<logs>/turing/bounds/{cell}/{block}.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("turing", "bound"),
    params:
        point=point_of("turing", "bound"),
    message:
        "Bounding turing {wildcards.cell}, {wildcards.block}"
    script:
        "../../scripts/bound_turing.py"


rule diagnose_turing:
    """Measure patterns, clouds of neurons, late growth and linear stability."""
    input:
        data=COLLECTION.images("diagnose"),
        record=RUNS,
        weights="<results>/turing/training/{cell}/{block}.safetensors",
        code=code_of("diagnose_turing"),
    output:
        "<results>/turing/diagnostics/{cell}/{block}.nc",
    log:
        "<logs>/turing/diagnostics/{cell}/{block}.log",
    benchmark:
        "<logs>/turing/diagnostics/{cell}/{block}.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("turing", "diagnose"),
    params:
        point=point_of("turing", "diagnose"),
    message:
        "Diagnosing turing {wildcards.cell}, {wildcards.block}"
    script:
        "../../scripts/diagnose_turing.py"


rule illustrate_turing:
    """Make the filters, features and embeddings that are shown."""
    input:
        data=COLLECTION.images("illustrate"),
        record=COLLECTION.before("illustrate", "train"),
        weights=COLLECTION.before("illustrate", "train", ".safetensors"),
        code=code_of("illustrate_turing"),
    output:
        "<results>/turing/illustrations/whole.nc",
    log:
        "<logs>/turing/illustrations.log",
    benchmark:
        "<logs>/turing/illustrations.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("turing", "illustrate"),
    params:
        point=point_of("turing", "illustrate"),
    message:
        "Making the pictures of turing"
    script:
        "../../scripts/illustrate_turing.py"


rule collect_turing:
    """Collect runs, bounds and diagnostics into one labelled data set, and the pictures into another."""
    input:
        **COLLECTION.inputs,
        code=code_of("collect_turing"),
    output:
        study="<collected>/turing/turing.nc",
        illustrations="<collected>/turing/illustrations.nc",
    log:
        "<logs>/turing/collect.log",
    benchmark:
        "<logs>/turing/collect.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("turing", "collect"),
    params:
        point=COLLECTED_POINT,
    message:
        "Collecting the study turing"
    script:
        "../../scripts/collect_turing.py"


rule assess_turing:
    """Measure the claims of the study and their controls."""
    input:
        study="<collected>/turing/turing.nc",
        illustrations="<collected>/turing/illustrations.nc",
        code=code_of("assess_turing"),
    output:
        "<collected>/turing/tables/claims.csv",
    log:
        "<logs>/turing/assess.log",
    benchmark:
        "<logs>/turing/assess.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("turing", "assess"),
    params:
        point=point_of("turing", "assess"),
    message:
        "Assessing the claims of turing"
    script:
        "../../scripts/assess_turing.py"


rule plot_turing_distance:
    """Draw the distance from initialisation, Figure 1."""
    input:
        study="<collected>/turing/turing.nc",
        code=code_of("plot_turing_distance"),
    output:
        figure("turing/figures/distance", "turing_distance", "turing", "Figure 1"),
    log:
        "<logs>/turing/figures/distance.log",
    benchmark:
        "<logs>/turing/figures/distance.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("turing", "plot_distance"),
    params:
        point=point_of("turing", "plot_distance"),
    message:
        "Drawing the distance from initialisation, Figure 1"
    script:
        "../../scripts/plot_turing_distance.py"


rule plot_turing_input:
    """Draw the input image, Figure 2."""
    input:
        pictures="<collected>/turing/illustrations.nc",
        code=code_of("plot_turing_input"),
    output:
        figure("turing/figures/input", "turing_input", "turing", "Figure 2"),
    log:
        "<logs>/turing/figures/input.log",
    benchmark:
        "<logs>/turing/figures/input.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("turing", "plot_input"),
    params:
        point=point_of("turing", "plot_input"),
    message:
        "Drawing the input image, Figure 2"
    script:
        "../../scripts/plot_turing_input.py"


rule plot_turing_filters:
    """Draw the filters of the hidden layer, Figure 3."""
    input:
        pictures="<collected>/turing/illustrations.nc",
        code=code_of("plot_turing_filters"),
    output:
        figure("turing/figures/filters", "turing_filters", "turing", "Figure 3"),
    log:
        "<logs>/turing/figures/filters.log",
    benchmark:
        "<logs>/turing/figures/filters.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("turing", "plot_filters"),
    params:
        point=point_of("turing", "plot_filters"),
    message:
        "Drawing the filters of the hidden layer, Figure 3"
    script:
        "../../scripts/plot_turing_filters.py"


rule plot_turing_features:
    """Draw the features of the input image, Figure 4."""
    input:
        pictures="<collected>/turing/illustrations.nc",
        code=code_of("plot_turing_features"),
    output:
        figure("turing/figures/features", "turing_features", "turing", "Figure 4"),
    log:
        "<logs>/turing/figures/features.log",
    benchmark:
        "<logs>/turing/figures/features.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("turing", "plot_features"),
    params:
        point=point_of("turing", "plot_features"),
    message:
        "Drawing the features of the input image, Figure 4"
    script:
        "../../scripts/plot_turing_features.py"


rule plot_turing_symmetry:
    """Draw the clouds of neurons, Figure 5."""
    input:
        pictures="<collected>/turing/illustrations.nc",
        code=code_of("plot_turing_symmetry"),
    output:
        figure("turing/figures/symmetry", "turing_symmetry", "turing", "Figure 5"),
    log:
        "<logs>/turing/figures/symmetry.log",
    benchmark:
        "<logs>/turing/figures/symmetry.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("turing", "plot_symmetry"),
    params:
        point=point_of("turing", "plot_symmetry"),
    message:
        "Drawing the clouds of neurons, Figure 5"
    script:
        "../../scripts/plot_turing_symmetry.py"


rule plot_turing_pattern:
    """Draw the diffusible factors and the pattern, Figure 6."""
    input:
        study="<collected>/turing/turing.nc",
        pictures="<collected>/turing/illustrations.nc",
        code=code_of("plot_turing_pattern"),
    output:
        figure("turing/figures/pattern", "turing_pattern", "turing", "Figure 6"),
    log:
        "<logs>/turing/figures/pattern.log",
    benchmark:
        "<logs>/turing/figures/pattern.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("turing", "plot_pattern"),
    params:
        point=point_of("turing", "plot_pattern"),
    message:
        "Drawing the diffusible factors and the pattern, Figure 6"
    script:
        "../../scripts/plot_turing_pattern.py"


rule plot_turing_synthetic_without:
    """Draw synthetic data without diffusion, Figure 7."""
    input:
        pictures="<collected>/turing/illustrations.nc",
        code=code_of("plot_turing_synthetic_without"),
    output:
        figure(
            "turing/figures/synthetic_without",
            "turing_synthetic_without",
            "turing",
            "Figure 7",
        ),
    log:
        "<logs>/turing/figures/synthetic_without.log",
    benchmark:
        "<logs>/turing/figures/synthetic_without.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("turing", "plot_synthetic_without"),
    params:
        point=point_of("turing", "plot_synthetic_without"),
    message:
        "Drawing synthetic data without diffusion, Figure 7"
    script:
        "../../scripts/plot_turing_synthetic_without.py"


rule plot_turing_synthetic_with:
    """Draw synthetic data with diffusion, Figure 8."""
    input:
        pictures="<collected>/turing/illustrations.nc",
        code=code_of("plot_turing_synthetic_with"),
    output:
        figure(
            "turing/figures/synthetic_with",
            "turing_synthetic_with",
            "turing",
            "Figure 8",
        ),
    log:
        "<logs>/turing/figures/synthetic_with.log",
    benchmark:
        "<logs>/turing/figures/synthetic_with.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("turing", "plot_synthetic_with"),
    params:
        point=point_of("turing", "plot_synthetic_with"),
    message:
        "Drawing synthetic data with diffusion, Figure 8"
    script:
        "../../scripts/plot_turing_synthetic_with.py"


rule plot_turing_bounds:
    """Draw the bounds against the measured distance."""
    input:
        study="<collected>/turing/turing.nc",
        code=code_of("plot_turing_bounds"),
    output:
        figure("turing/figures/bounds", "turing_bounds", "turing", "Bounds"),
    log:
        "<logs>/turing/figures/bounds.log",
    benchmark:
        "<logs>/turing/figures/bounds.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("turing", "plot_bounds"),
    params:
        point=point_of("turing", "plot_bounds"),
    message:
        "Drawing the bounds against the measured distance"
    script:
        "../../scripts/plot_turing_bounds.py"


rule plot_turing_looseness:
    """Draw how loose the bounds are, against width."""
    input:
        study="<collected>/turing/turing.nc",
        code=code_of("plot_turing_looseness"),
    output:
        figure("turing/figures/looseness", "turing_looseness", "turing", "Looseness"),
    log:
        "<logs>/turing/figures/looseness.log",
    benchmark:
        "<logs>/turing/figures/looseness.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("turing", "plot_looseness"),
    params:
        point=point_of("turing", "plot_looseness"),
    message:
        "Drawing how loose the bounds are, against width"
    script:
        "../../scripts/plot_turing_looseness.py"


rule plot_turing_residual:
    """Draw the residual against the Bernoulli solution."""
    input:
        study="<collected>/turing/turing.nc",
        code=code_of("plot_turing_residual"),
    output:
        figure("turing/figures/residual", "turing_residual", "turing", "Residual"),
    log:
        "<logs>/turing/figures/residual.log",
    benchmark:
        "<logs>/turing/figures/residual.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("turing", "plot_residual"),
    params:
        point=point_of("turing", "plot_residual"),
    message:
        "Drawing the residual against the Bernoulli solution"
    script:
        "../../scripts/plot_turing_residual.py"


rule plot_turing_logistic:
    """Draw logistic growth beside the Bernoulli solution."""
    input:
        study="<collected>/turing/turing.nc",
        code=code_of("plot_turing_logistic"),
    output:
        figure("turing/figures/logistic", "turing_logistic", "turing", "Logistic"),
    log:
        "<logs>/turing/figures/logistic.log",
    benchmark:
        "<logs>/turing/figures/logistic.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("turing", "plot_logistic"),
    params:
        point=point_of("turing", "plot_logistic"),
    message:
        "Drawing logistic growth beside the Bernoulli solution"
    script:
        "../../scripts/plot_turing_logistic.py"


rule plot_turing_exponents:
    """Draw exponents against step size and width."""
    input:
        study="<collected>/turing/turing.nc",
        code=code_of("plot_turing_exponents"),
    output:
        figure("turing/figures/exponents", "turing_exponents", "turing", "Exponents"),
    log:
        "<logs>/turing/figures/exponents.log",
    benchmark:
        "<logs>/turing/figures/exponents.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("turing", "plot_exponents"),
    params:
        point=point_of("turing", "plot_exponents"),
    message:
        "Drawing exponents against step size and width"
    script:
        "../../scripts/plot_turing_exponents.py"


rule plot_turing_controls:
    """Draw the controls."""
    input:
        study="<collected>/turing/turing.nc",
        code=code_of("plot_turing_controls"),
    output:
        figure("turing/figures/controls", "turing_controls", "turing", "Controls"),
    log:
        "<logs>/turing/figures/controls.log",
    benchmark:
        "<logs>/turing/figures/controls.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("turing", "plot_controls"),
    params:
        point=point_of("turing", "plot_controls"),
    message:
        "Drawing the controls"
    script:
        "../../scripts/plot_turing_controls.py"


rule plot_turing_spectra:
    """Draw the radial spectra of filters."""
    input:
        study="<collected>/turing/turing.nc",
        pictures="<collected>/turing/illustrations.nc",
        code=code_of("plot_turing_spectra"),
    output:
        figure(
            "turing/figures/spectra", "turing_spectra", "turing", "Spectra of filters"
        ),
    log:
        "<logs>/turing/figures/spectra.log",
    benchmark:
        "<logs>/turing/figures/spectra.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("turing", "plot_spectra"),
    params:
        point=point_of("turing", "plot_spectra"),
    message:
        "Drawing the radial spectra of filters"
    script:
        "../../scripts/plot_turing_spectra.py"


rule plot_turing_stability:
    """Draw the spectrum of the Jacobian."""
    input:
        study="<collected>/turing/turing.nc",
        code=code_of("plot_turing_stability"),
    output:
        figure("turing/figures/stability", "turing_stability", "turing", "Stability"),
    log:
        "<logs>/turing/figures/stability.log",
    benchmark:
        "<logs>/turing/figures/stability.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("turing", "plot_stability"),
    params:
        point=point_of("turing", "plot_stability"),
    message:
        "Drawing the spectrum of the Jacobian"
    script:
        "../../scripts/plot_turing_stability.py"


TARGETS["turing"] = expand(
    "<collected>/turing/figures/{kind}.{suffix}",
    kind=[
        "distance",
        "input",
        "filters",
        "features",
        "symmetry",
        "pattern",
        "synthetic_without",
        "synthetic_with",
        "bounds",
        "looseness",
        "residual",
        "logistic",
        "exponents",
        "controls",
        "spectra",
        "stability",
    ],
    suffix=SUFFIXES,
)
