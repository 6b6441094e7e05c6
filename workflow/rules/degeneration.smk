"""The study degeneration: degenerative adversarial networks, and what of the data survives them."""

RUNS = "<results>/degeneration/training/{cell}/{block}.nc"
OUTPUTS = "<results>/degeneration/training/{cell}/{block}.outputs.nc"
WEIGHTS = "<results>/degeneration/training/{cell}/{block}.safetensors"
URANDOM = "resources/urandom/urandom.nc"
CLASSIFIER = "<results>/degeneration/classifier.nc"
COLLECTION = Collection(
    "degeneration",
    {
        "train": ("train_degeneration", RUNS),
        "measure": (
            "measure_degeneration",
            "<results>/degeneration/measurements/{cell}/{block}.nc",
        ),
        "draw": ("draw_degeneration", URANDOM),
        "train_classifier": ("train_degeneration_classifier", CLASSIFIER),
        "measure_references": (
            "measure_degeneration_references",
            "<results>/degeneration/references.nc",
        ),
        "linearise": ("linearise_degeneration", "<results>/degeneration/saddle.nc"),
        "train_line": ("train_degeneration_line", "<results>/degeneration/line.nc"),
        "export": ("export_degeneration", "<results>/degeneration/source.nc"),
        "overwrite": ("overwrite_degeneration", "<results>/degeneration/overwrite.nc"),
        "illustrate": (
            "illustrate_degeneration",
            "<results>/degeneration/illustrations.nc",
        ),
    },
    parts=[
        "train",
        "measure",
        "measure_references",
        "train_classifier",
        "linearise",
        "train_line",
        "overwrite",
        "illustrate",
    ],
    data={
        "train",
        "measure",
        "train_classifier",
        "measure_references",
        "export",
        "illustrate",
    },
)


# The settings from which figures and claims start: of the study, and of none of the jobs collected.
COLLECTED_POINT = COLLECTION.point | {
    "reference": {
        name: getattr(RUN.studies["degeneration"].settings, name)
        for name, field in RUN.studies["degeneration"].model.fields().items()
        if field.json_schema_extra["sweep"] or name in ("overwrite",)
    }
}


rule train_degeneration:
    """Train the networks of one cell and block of seeds, on a GPU all lanes in one batch."""
    input:
        data=COLLECTION.images("train"),
        code=code_of("train_degeneration"),
    output:
        record=RUNS,
        outputs=OUTPUTS,
        weights=WEIGHTS,
    log:
        "<logs>/degeneration/training/{cell}/{block}.log",
    benchmark:
        "<logs>/degeneration/training/{cell}/{block}.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("degeneration", "train"),
    params:
        point=point_of("degeneration", "train"),
    message:
        "Degenerating {wildcards.cell}, {wildcards.block}"
    script:
        "../../scripts/train_degeneration.py"


rule measure_degeneration:
    """Measure how random the outputs look, and what of the originals can be recovered."""
    input:
        data=COLLECTION.images("measure"),
        record=RUNS,
        outputs=OUTPUTS,
        code=code_of("measure_degeneration"),
    output:
        "<results>/degeneration/measurements/{cell}/{block}.nc",
    log:
        "<logs>/degeneration/measurements/{cell}/{block}.log",
    benchmark:
        "<logs>/degeneration/measurements/{cell}/{block}.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("degeneration", "measure"),
    params:
        point=point_of("degeneration", "measure"),
    message:
        "Measuring {wildcards.cell}, {wildcards.block}"
    script:
        "../../scripts/measure_degeneration.py"


rule draw_degeneration:
    """Draw bytes from the operating system, once; they are kept with their sha256."""
    input:
        code=code_of("draw_degeneration"),
    output:
        URANDOM,
    log:
        "<logs>/degeneration/urandom.log",
    benchmark:
        "<logs>/degeneration/urandom.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("degeneration", "draw"),
    params:
        point=point_of("degeneration", "draw"),
    message:
        "Drawing bytes of os.urandom"
    script:
        "../../scripts/draw_degeneration.py"


rule train_degeneration_classifier:
    """Train the classifier that FGSM attacks, and that destroys nothing."""
    input:
        data=COLLECTION.images("train_classifier"),
        code=code_of("train_degeneration_classifier"),
    output:
        CLASSIFIER,
    log:
        "<logs>/degeneration/classifier.log",
    benchmark:
        "<logs>/degeneration/classifier.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("degeneration", "train_classifier"),
    params:
        point=point_of("degeneration", "train_classifier"),
    message:
        "Training the classifier of degeneration"
    script:
        "../../scripts/train_degeneration_classifier.py"


rule measure_degeneration_references:
    """Measure noise, ciphers, permutations and FGSM as the outputs of the networks are."""
    input:
        data=COLLECTION.images("measure_references"),
        urandom=URANDOM,
        classifier=CLASSIFIER,
        code=code_of("measure_degeneration_references"),
    output:
        "<results>/degeneration/references.nc",
    log:
        "<logs>/degeneration/references.log",
    benchmark:
        "<logs>/degeneration/references.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("degeneration", "measure_references"),
    params:
        point=point_of("degeneration", "measure_references"),
    message:
        "Measuring the references of degeneration"
    script:
        "../../scripts/measure_degeneration_references.py"


rule linearise_degeneration:
    """The Hessian of the criterion at its optimum."""
    input:
        code=code_of("linearise_degeneration"),
    output:
        "<results>/degeneration/saddle.nc",
    log:
        "<logs>/degeneration/saddle.log",
    benchmark:
        "<logs>/degeneration/saddle.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("degeneration", "linearise"),
    params:
        point=point_of("degeneration", "linearise"),
    message:
        "Linearising the game at its optimum"
    script:
        "../../scripts/linearise_degeneration.py"


rule train_degeneration_line:
    """Train a degenerator on a line, where its densities can be drawn."""
    input:
        code=code_of("train_degeneration_line"),
    output:
        "<results>/degeneration/line.nc",
    log:
        "<logs>/degeneration/line.log",
    benchmark:
        "<logs>/degeneration/line.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("degeneration", "train_line"),
    params:
        point=point_of("degeneration", "train_line"),
    message:
        "Degenerating a line"
    script:
        "../../scripts/train_degeneration_line.py"


rule export_degeneration:
    """Write the data that are to be overwritten as files of bytes."""
    input:
        data=COLLECTION.images("export"),
        record=COLLECTION.before("export", "train"),
        outputs=COLLECTION.before("export", "train", ".outputs.nc"),
        weights=COLLECTION.before("export", "train", ".safetensors"),
        code=code_of("export_degeneration"),
    output:
        images="<results>/degeneration/source/images.bin",
        discriminator="<results>/degeneration/source/discriminator.bin",
        record="<results>/degeneration/source.nc",
    log:
        "<logs>/degeneration/source.log",
    benchmark:
        "<logs>/degeneration/source.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("degeneration", "export"),
    params:
        point=point_of("degeneration", "export"),
    message:
        "Writing the data that are to be overwritten"
    script:
        "../../scripts/export_degeneration.py"


rule overwrite_degeneration:
    """Overwrite a copy of the data inside the results, verify it, and prove the source unchanged."""
    input:
        record=COLLECTION.before("overwrite", "train"),
        outputs=COLLECTION.before("overwrite", "train", ".outputs.nc"),
        weights=COLLECTION.before("overwrite", "train", ".safetensors"),
        source=[
            "<results>/degeneration/source/images.bin",
            "<results>/degeneration/source/discriminator.bin",
        ],
        export="<results>/degeneration/source.nc",
        code=code_of("overwrite_degeneration"),
    output:
        "<results>/degeneration/overwrite.nc",
    log:
        "<logs>/degeneration/overwrite.log",
    benchmark:
        "<logs>/degeneration/overwrite.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("degeneration", "overwrite"),
    params:
        point=point_of("degeneration", "overwrite"),
    message:
        "Overwriting a copy of the data in its sandbox"
    script:
        "../../scripts/overwrite_degeneration.py"


rule illustrate_degeneration:
    """Set the degenerated images beside FGSM's, for network and viewer."""
    input:
        data=COLLECTION.images("illustrate"),
        record=COLLECTION.before("illustrate", "train"),
        outputs=COLLECTION.before("illustrate", "train", ".outputs.nc"),
        classifier=CLASSIFIER,
        code=code_of("illustrate_degeneration"),
    output:
        "<results>/degeneration/illustrations.nc",
    log:
        "<logs>/degeneration/illustrations.log",
    benchmark:
        "<logs>/degeneration/illustrations.benchmark.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("degeneration", "illustrate"),
    params:
        point=point_of("degeneration", "illustrate"),
    message:
        "Making the pictures of degeneration"
    script:
        "../../scripts/illustrate_degeneration.py"


rule collect_degeneration:
    """Collect runs, measurements and references into one labelled data set."""
    input:
        **COLLECTION.inputs,
        code=code_of("collect_degeneration"),
    output:
        "<collected>/degeneration/degeneration.nc",
    log:
        "<logs>/degeneration/collect.log",
    benchmark:
        "<logs>/degeneration/collect.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("degeneration", "collect"),
    params:
        point=COLLECTED_POINT,
    message:
        "Collecting the study degeneration"
    script:
        "../../scripts/collect_degeneration.py"


rule tabulate_degeneration:
    """Table 1: the share of data destroyed, by model."""
    input:
        study="<collected>/degeneration/degeneration.nc",
        code=code_of("tabulate_degeneration"),
    output:
        "<collected>/degeneration/tables/table1.csv",
    log:
        "<logs>/degeneration/table1.log",
    benchmark:
        "<logs>/degeneration/table1.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("degeneration", "tabulate"),
    params:
        point=point_of("degeneration", "tabulate"),
    message:
        "Writing Table 1"
    script:
        "../../scripts/tabulate_degeneration.py"


rule assess_degeneration:
    """Measure the claims of the study and their controls."""
    input:
        study="<collected>/degeneration/degeneration.nc",
        code=code_of("assess_degeneration"),
    output:
        "<collected>/degeneration/tables/claims.csv",
    log:
        "<logs>/degeneration/assess.log",
    benchmark:
        "<logs>/degeneration/assess.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("degeneration", "assess"),
    params:
        point=point_of("degeneration", "assess"),
    message:
        "Assessing the claims of degeneration"
    script:
        "../../scripts/assess_degeneration.py"


rule plot_degeneration_bits:
    """Draw the bits per byte against passes (Figure 2)."""
    input:
        study="<collected>/degeneration/degeneration.nc",
        code=code_of("plot_degeneration_bits"),
    output:
        figure(
            "degeneration/figures/bits",
            "degeneration_bits",
            "degeneration",
            "Bits per byte (Figure 2)",
        ),
    log:
        "<logs>/degeneration/figures/bits.log",
    benchmark:
        "<logs>/degeneration/figures/bits.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("degeneration", "plot_bits"),
    params:
        point=point_of("degeneration", "plot_bits"),
    message:
        "Drawing the bits per byte"
    script:
        "../../scripts/plot_degeneration_bits.py"


rule plot_degeneration_collapse:
    """Draw the collapse of balanced and overpowered games (Figure 3)."""
    input:
        study="<collected>/degeneration/degeneration.nc",
        code=code_of("plot_degeneration_collapse"),
    output:
        figure(
            "degeneration/figures/collapse",
            "degeneration_collapse",
            "degeneration",
            "Collapse (Figure 3)",
        ),
    log:
        "<logs>/degeneration/figures/collapse.log",
    benchmark:
        "<logs>/degeneration/figures/collapse.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("degeneration", "plot_collapse"),
    params:
        point=point_of("degeneration", "plot_collapse"),
    message:
        "Drawing the collapse"
    script:
        "../../scripts/plot_degeneration_collapse.py"


rule plot_degeneration_comparison:
    """Draw FGSM beside the degenerative networks (Figure 4)."""
    input:
        study="<collected>/degeneration/degeneration.nc",
        code=code_of("plot_degeneration_comparison"),
    output:
        figure(
            "degeneration/figures/comparison",
            "degeneration_comparison",
            "degeneration",
            "FGSM and DAN (Figure 4)",
        ),
    log:
        "<logs>/degeneration/figures/comparison.log",
    benchmark:
        "<logs>/degeneration/figures/comparison.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("degeneration", "plot_comparison"),
    params:
        point=point_of("degeneration", "plot_comparison"),
    message:
        "Drawing FGSM beside DAN"
    script:
        "../../scripts/plot_degeneration_comparison.py"


rule plot_degeneration_architectures:
    """Draw the two architectures (Figure 5)."""
    input:
        study="<collected>/degeneration/degeneration.nc",
        code=code_of("plot_degeneration_architectures"),
    output:
        figure(
            "degeneration/figures/architectures",
            "degeneration_architectures",
            "degeneration",
            "Architectures (Figure 5)",
        ),
    log:
        "<logs>/degeneration/figures/architectures.log",
    benchmark:
        "<logs>/degeneration/figures/architectures.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("degeneration", "plot_architectures"),
    params:
        point=point_of("degeneration", "plot_architectures"),
    message:
        "Drawing the architectures"
    script:
        "../../scripts/plot_degeneration_architectures.py"


rule plot_degeneration_line:
    """Draw densities and discriminator on a line (Figure 6)."""
    input:
        study="<collected>/degeneration/degeneration.nc",
        code=code_of("plot_degeneration_line"),
    output:
        figure(
            "degeneration/figures/line",
            "degeneration_line",
            "degeneration",
            "On a line (Figure 6)",
        ),
    log:
        "<logs>/degeneration/figures/line.log",
    benchmark:
        "<logs>/degeneration/figures/line.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("degeneration", "plot_line"),
    params:
        point=point_of("degeneration", "plot_line"),
    message:
        "Drawing the line"
    script:
        "../../scripts/plot_degeneration_line.py"


rule plot_degeneration_degenerated:
    """Draw samples after the last pass beside Python's random (Figure 7)."""
    input:
        study="<collected>/degeneration/degeneration.nc",
        code=code_of("plot_degeneration_degenerated"),
    output:
        figure(
            "degeneration/figures/degenerated",
            "degeneration_degenerated",
            "degeneration",
            "Degenerated samples (Figure 7)",
        ),
    log:
        "<logs>/degeneration/figures/degenerated.log",
    benchmark:
        "<logs>/degeneration/figures/degenerated.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("degeneration", "plot_degenerated"),
    params:
        point=point_of("degeneration", "plot_degenerated"),
    message:
        "Drawing the degenerated samples"
    script:
        "../../scripts/plot_degeneration_degenerated.py"


rule plot_degeneration_first_pass:
    """Draw samples after one pass (Figure 8)."""
    input:
        study="<collected>/degeneration/degeneration.nc",
        code=code_of("plot_degeneration_first_pass"),
    output:
        figure(
            "degeneration/figures/first_pass",
            "degeneration_first_pass",
            "degeneration",
            "One pass (Figure 8)",
        ),
    log:
        "<logs>/degeneration/figures/first_pass.log",
    benchmark:
        "<logs>/degeneration/figures/first_pass.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("degeneration", "plot_first_pass"),
    params:
        point=point_of("degeneration", "plot_first_pass"),
    message:
        "Drawing the first pass"
    script:
        "../../scripts/plot_degeneration_first_pass.py"


rule plot_degeneration_textures:
    """Draw samples midway, and how alike they are (Figure 9)."""
    input:
        study="<collected>/degeneration/degeneration.nc",
        code=code_of("plot_degeneration_textures"),
    output:
        figure(
            "degeneration/figures/textures",
            "degeneration_textures",
            "degeneration",
            "Repeated textures (Figure 9)",
        ),
    log:
        "<logs>/degeneration/figures/textures.log",
    benchmark:
        "<logs>/degeneration/figures/textures.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("degeneration", "plot_textures"),
    params:
        point=point_of("degeneration", "plot_textures"),
    message:
        "Drawing the textures"
    script:
        "../../scripts/plot_degeneration_textures.py"


rule plot_degeneration_table:
    """Draw Table 1."""
    input:
        study="<collected>/degeneration/degeneration.nc",
        code=code_of("plot_degeneration_table"),
    output:
        figure(
            "degeneration/figures/table",
            "degeneration_table",
            "degeneration",
            "Table 1",
        ),
    log:
        "<logs>/degeneration/figures/table.log",
    benchmark:
        "<logs>/degeneration/figures/table.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("degeneration", "plot_table"),
    params:
        point=point_of("degeneration", "plot_table"),
    message:
        "Drawing Table 1"
    script:
        "../../scripts/plot_degeneration_table.py"


rule plot_degeneration_pairs:
    """Draw the share destroyed against the pairs an attacker has."""
    input:
        study="<collected>/degeneration/degeneration.nc",
        code=code_of("plot_degeneration_pairs"),
    output:
        figure(
            "degeneration/figures/pairs",
            "degeneration_pairs",
            "degeneration",
            "Destroyed against pairs",
        ),
    log:
        "<logs>/degeneration/figures/pairs.log",
    benchmark:
        "<logs>/degeneration/figures/pairs.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("degeneration", "plot_pairs"),
    params:
        point=point_of("degeneration", "plot_pairs"),
    message:
        "Drawing the share destroyed against pairs"
    script:
        "../../scripts/plot_degeneration_pairs.py"


rule plot_degeneration_chain:
    """Draw the share destroyed along the chain (Proposition 2)."""
    input:
        study="<collected>/degeneration/degeneration.nc",
        code=code_of("plot_degeneration_chain"),
    output:
        figure(
            "degeneration/figures/chain",
            "degeneration_chain",
            "degeneration",
            "Chain (Proposition 2)",
        ),
    log:
        "<logs>/degeneration/figures/chain.log",
    benchmark:
        "<logs>/degeneration/figures/chain.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("degeneration", "plot_chain"),
    params:
        point=point_of("degeneration", "plot_chain"),
    message:
        "Drawing the chain"
    script:
        "../../scripts/plot_degeneration_chain.py"


rule plot_degeneration_summary:
    """Draw all metrics of all systems."""
    input:
        study="<collected>/degeneration/degeneration.nc",
        code=code_of("plot_degeneration_summary"),
    output:
        figure(
            "degeneration/figures/summary",
            "degeneration_summary",
            "degeneration",
            "Summary",
        ),
    log:
        "<logs>/degeneration/figures/summary.log",
    benchmark:
        "<logs>/degeneration/figures/summary.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("degeneration", "plot_summary"),
    params:
        point=point_of("degeneration", "plot_summary"),
    message:
        "Drawing the summary"
    script:
        "../../scripts/plot_degeneration_summary.py"


rule plot_degeneration_training:
    """Draw the game over training, with a fresh discriminator beside."""
    input:
        study="<collected>/degeneration/degeneration.nc",
        code=code_of("plot_degeneration_training"),
    output:
        figure(
            "degeneration/figures/training",
            "degeneration_training",
            "degeneration",
            "Training",
        ),
    log:
        "<logs>/degeneration/figures/training.log",
    benchmark:
        "<logs>/degeneration/figures/training.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("degeneration", "plot_training"),
    params:
        point=point_of("degeneration", "plot_training"),
    message:
        "Drawing the training"
    script:
        "../../scripts/plot_degeneration_training.py"


rule plot_degeneration_saddle:
    """Draw the eigenvalues at the optimum (Theorem 1)."""
    input:
        study="<collected>/degeneration/degeneration.nc",
        code=code_of("plot_degeneration_saddle"),
    output:
        figure(
            "degeneration/figures/saddle",
            "degeneration_saddle",
            "degeneration",
            "Saddle (Theorem 1)",
        ),
    log:
        "<logs>/degeneration/figures/saddle.log",
    benchmark:
        "<logs>/degeneration/figures/saddle.benchmark.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **need("degeneration", "plot_saddle"),
    params:
        point=point_of("degeneration", "plot_saddle"),
    message:
        "Drawing the saddle"
    script:
        "../../scripts/plot_degeneration_saddle.py"


TARGETS["degeneration"] = ["<collected>/degeneration/tables/table1.csv"] + expand(
    "<collected>/degeneration/figures/{kind}.{suffix}",
    kind=[
        "bits",
        "collapse",
        "comparison",
        "architectures",
        "line",
        "degenerated",
        "first_pass",
        "textures",
        "table",
        "pairs",
        "chain",
        "summary",
        "training",
        "saddle",
    ],
    suffix=SUFFIXES,
)
