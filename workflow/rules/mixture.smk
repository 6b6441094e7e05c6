"""The study mixture: simulation and order-parameter theory of the erf perceptron, side by side."""

SIMULATION = "<results>/mixture/simulation/{cell}/{block}.nc"
THEORY = "<results>/mixture/theory/{cell}.nc"
SCALING = "<results>/mixture/scaling/{cell}.nc"
COLLECTION = Collection(
    "mixture",
    {
        "simulate": ("simulate_mixture", SIMULATION),
        "integrate": ("integrate_mixture", THEORY),
        "scale": ("scale_mixture", SCALING),
    },
    parts=["simulate", "integrate", "scale"],
)


rule simulate_mixture:
    """Simulate online learning at one cell, one block of seeds, all lanes at once."""
    input:
        code=code_of("simulate_mixture"),
    output:
        SIMULATION,
    log:
        "<logs>/mixture/simulation/{cell}/{block}.log",
    benchmark:
        "<logs>/mixture/simulation/{cell}/{block}.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("mixture", "simulate"),
    params:
        point=point_of("mixture", "simulate"),
    message:
        "Simulating mixture {wildcards.cell}, {wildcards.block}"
    script:
        "../../scripts/simulate_mixture.py"


rule integrate_mixture:
    """Integrate the order-parameter equations of one cell, all lanes at once."""
    input:
        code=code_of("integrate_mixture"),
    output:
        THEORY,
    log:
        "<logs>/mixture/theory/{cell}.log",
    benchmark:
        "<logs>/mixture/theory/{cell}.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("mixture", "integrate"),
    params:
        point=point_of("mixture", "integrate"),
    message:
        "Integrating the order parameters of mixture {wildcards.cell}"
    script:
        "../../scripts/integrate_mixture.py"


rule scale_mixture:
    """Measure finite-size fluctuations, and the law of the local potential at small N."""
    input:
        code=code_of("scale_mixture"),
    output:
        SCALING,
    log:
        "<logs>/mixture/scaling/{cell}.log",
    benchmark:
        "<logs>/mixture/scaling/{cell}.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("mixture", "scale"),
    params:
        point=point_of("mixture", "scale"),
    message:
        "Measuring finite-size fluctuations of mixture {wildcards.cell}"
    script:
        "../../scripts/scale_mixture.py"


rule collect_mixture:
    """Collect simulation and theory into one labelled data set."""
    input:
        **COLLECTION.inputs,
        code=code_of("collect_mixture"),
    output:
        study="<collected>/mixture/mixture.nc",
        scaling="<collected>/mixture/scaling.nc",
    log:
        "<logs>/mixture/collect.log",
    benchmark:
        "<logs>/mixture/collect.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("mixture", "collect"),
    params:
        point=COLLECTION.point,
    message:
        "Collecting the study mixture"
    script:
        "../../scripts/collect_mixture.py"


rule tabulate_mixture:
    """Compare simulation and theory: a z-score for each order parameter, point and time."""
    input:
        study="<collected>/mixture/mixture.nc",
        code=code_of("tabulate_mixture"),
    output:
        report(
            "<collected>/mixture/tables/agreement.csv",
            caption="../report/mixture_agreement.rst",
            category="mixture",
            subcategory="Agreement of simulation and theory",
            labels={"table": "z-scores"},
        ),
    log:
        "<logs>/mixture/tabulate.log",
    benchmark:
        "<logs>/mixture/tabulate.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("mixture", "tabulate"),
    params:
        point=point_of("mixture", "tabulate"),
    message:
        "Comparing simulation and theory of mixture"
    script:
        "../../scripts/tabulate_mixture.py"


rule assess_mixture:
    """Measure the claims of the study and their controls."""
    input:
        study="<collected>/mixture/mixture.nc",
        scaling="<collected>/mixture/scaling.nc",
        code=code_of("assess_mixture"),
    output:
        "<collected>/mixture/tables/claims.csv",
    log:
        "<logs>/mixture/assess.log",
    benchmark:
        "<logs>/mixture/assess.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("mixture", "assess"),
    params:
        point=point_of("mixture", "assess"),
    message:
        "Assessing the claims of mixture"
    script:
        "../../scripts/assess_mixture.py"


rule plot_mixture_curves:
    """Draw order parameters, errors and robustness curve of one scenario."""
    input:
        study="<collected>/mixture/mixture.nc",
        code=code_of("plot_mixture_curves"),
    output:
        figure(
            "mixture/figures/curves/{panel}",
            "mixture_curves",
            "mixture",
            "Dynamics and robustness",
            scenario="{panel}",
        ),
    log:
        "<logs>/mixture/figures/curves/{panel}.log",
    benchmark:
        "<logs>/mixture/figures/curves/{panel}.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("mixture", "plot_curves"),
    params:
        point=point_of("mixture", "plot_curves"),
    message:
        "Drawing the curves of mixture {wildcards.panel}"
    script:
        "../../scripts/plot_mixture_curves.py"


rule plot_mixture_potential:
    """Draw the local potential with and without attack, and the plane of w and B."""
    input:
        study="<collected>/mixture/mixture.nc",
        code=code_of("plot_mixture_potential"),
    output:
        figure(
            "mixture/figures/potential/{panel}",
            "mixture_potential",
            "mixture",
            "Local potential",
            scenario="{panel}",
        ),
    log:
        "<logs>/mixture/figures/potential/{panel}.log",
    benchmark:
        "<logs>/mixture/figures/potential/{panel}.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("mixture", "plot_potential"),
    params:
        point=point_of("mixture", "plot_potential"),
    message:
        "Drawing the local potential of mixture {wildcards.panel}"
    script:
        "../../scripts/plot_mixture_potential.py"


rule plot_mixture_data:
    """Draw the data in high dimension, projected on B and on random directions."""
    input:
        data=f"<results>/data/{RUN.studies['mixture'].settings.dataset}.nc",
        code=code_of("plot_mixture_data"),
    output:
        figure(
            "mixture/figures/data", "mixture_data", "mixture", "Data in high dimension"
        ),
    log:
        "<logs>/mixture/figures/data.log",
    benchmark:
        "<logs>/mixture/figures/data.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("mixture", "plot_data"),
    params:
        point=point_of("mixture", "plot_data"),
    message:
        "Drawing the data of mixture"
    script:
        "../../scripts/plot_mixture_data.py"


rule plot_mixture_scaling:
    """Draw variance of the order parameters against N, and the law of the local potential."""
    input:
        scaling="<collected>/mixture/scaling.nc",
        code=code_of("plot_mixture_scaling"),
    output:
        figure("mixture/figures/scaling", "mixture_scaling", "mixture", "Finite size"),
    log:
        "<logs>/mixture/figures/scaling.log",
    benchmark:
        "<logs>/mixture/figures/scaling.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("mixture", "plot_scaling"),
    params:
        point=point_of("mixture", "plot_scaling"),
    message:
        "Drawing the finite-size fluctuations of mixture"
    script:
        "../../scripts/plot_mixture_scaling.py"


TARGETS["mixture"] = [
    "<collected>/mixture/tables/agreement.csv",
    expand(
        "<collected>/mixture/figures/{kind}/{panel}.{suffix}",
        kind=["curves", "potential"],
        panel=RUN.studies["mixture"].panels(),
        suffix=SUFFIXES,
    ),
    expand(
        "<collected>/mixture/figures/{kind}.{suffix}",
        kind=["data", "scaling"],
        suffix=SUFFIXES,
    ),
]
