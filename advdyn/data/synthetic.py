"""Synthetic data: Gaussian inputs with random labels or those of a teacher, and a mixture of two Gaussians."""

import numpy as np
import numpy.typing as npt
import xarray as xr

from advdyn import io, seeds
from advdyn.data import prepare

LABELS = ("random", "teacher")
GAUSSIAN_REFERENCES = (
    "Rout, Towards a pseudo-reaction-diffusion model for Turing instability in adversarial learning, Fig. 7"
)
MIXTURE_REFERENCES = "Straat, Modelling adversarial training"


def gaussian(
    dimension: int,
    n_train: int,
    n_validation: int,
    n_test: int,
    labels: str,
    unit_norm: bool,
    root: int,
    seed: int,
) -> xr.Dataset:
    """Inputs x ~ N(0, I) with labels of -1 and +1.

    Each split has streams of its own, and the labels have another than the inputs. So the inputs are the same for
    both kinds of labels, and a larger split begins with the samples of the smaller one.

    Parameters
    ----------
    dimension
        Number of components of an input, d.
    n_train, n_validation, n_test
        Number of samples of each split; train has at least one.
    labels
        ``random``: independent of the input, both equally probable. ``teacher``: sign(w.x) of a teacher w drawn
        uniformly from the unit sphere, stored as the variable ``teacher`` (pixel).
    unit_norm
        Whether each input is divided by its norm, that is, drawn uniformly from the unit sphere.
    root, seed
        The random stream (``advdyn.seeds``).

    Returns
    -------
    xr.Dataset
        In the layout of ``advdyn.data.prepare``, with float64 inputs.

    Raises
    ------
    ValueError
        When ``labels`` is neither of the two or a size is out of bounds.
    """
    if labels not in LABELS:
        raise ValueError(f"labels {labels!r}; allowed: {', '.join(LABELS)}")
    sizes = (n_train, n_validation, n_test)
    if dimension < 1 or n_train < 1 or min(sizes) < 0:
        raise ValueError(f"dimension {dimension}, sizes {sizes}; dimension and n_train are at least 1, no size below 0")
    teacher_stream, *streams = _streams(root, "dataset-gaussian", seed, 1 + 2 * len(sizes))
    teacher = _direction(teacher_stream, dimension)
    parts = []
    for n, for_inputs, for_labels in zip(sizes, streams[::2], streams[1::2], strict=True):
        x = for_inputs.standard_normal((n, dimension))
        if unit_norm:
            x /= np.linalg.norm(x, axis=1, keepdims=True)
        positive = x @ teacher >= 0 if labels == "teacher" else for_labels.random(n) < 0.5
        parts.append(prepare.Part(x, np.where(positive, 1, -1), np.arange(n)))
    extra = {}
    if labels == "teacher":
        extra["teacher"] = io.variable(("pixel",), teacher, "teacher, of unit norm", "1", GAUSSIAN_REFERENCES)
    inputs = "Gaussian inputs of unit norm" if unit_norm else "Gaussian inputs"
    return prepare.dataset(
        parts,
        (dimension,),
        f"{inputs} with {'random labels' if labels == 'random' else 'the labels of a linear teacher'}",
        GAUSSIAN_REFERENCES,
        extra,
    )


def mixture(
    prior: float,
    rho: float,
    v1: float,
    v2: float,
    dimension: int,
    n: int,
    root: int,
    seed: int,
) -> xr.Dataset:
    """Samples of P(xi) = p N((rho/2) B, v1 I) + (1 - p) N(-(rho/2) B, v2 I), |B| = 1.

    All samples are for training: the generalisation error of a linear rule on this mixture has a closed form.

    Parameters
    ----------
    prior
        Probability p of the first component, whose label is +1; that of the second is -1.
    rho
        Distance between the two centres.
    v1, v2
        Variance of each component of xi about the first and the second centre.
    dimension
        Number of components of a sample, N.
    n
        Number of samples.
    root, seed
        The random stream (``advdyn.seeds``); samples and B do not depend on the other parameters but through the
        formula, and more samples begin with the fewer.

    Returns
    -------
    xr.Dataset
        In the layout of ``advdyn.data.prepare``, with float64 inputs, and the variable ``B`` (pixel), whose direction
        is drawn uniformly.

    Raises
    ------
    ValueError
        When a parameter is out of bounds.
    """
    if not (0 <= prior <= 1 and rho >= 0 and v1 >= 0 and v2 >= 0 and dimension >= 1 and n >= 1):
        raise ValueError(
            f"prior {prior}, rho {rho}, v1 {v1}, v2 {v2}, dimension {dimension}, n {n}; "
            "prior is within [0, 1], rho, v1 and v2 are at least 0, dimension and n at least 1"
        )
    for_b, for_labels, for_inputs = _streams(root, "dataset-mixture", seed, 3)
    b = _direction(for_b, dimension)
    label = np.where(for_labels.random(n) < prior, 1, -1)
    deviation = np.sqrt(np.where(label > 0, v1, v2))[:, None]
    x = rho / 2 * label[:, None] * b + deviation * for_inputs.standard_normal((n, dimension))
    empty = prepare.Part(x[:0], label[:0], np.arange(0))
    stored = io.variable(("pixel",), b, "unit vector from the second centre to the first", "1", MIXTURE_REFERENCES)
    return prepare.dataset(
        [prepare.Part(x, label, np.arange(n)), empty, empty],
        (dimension,),
        "Mixture of two Gaussians",
        MIXTURE_REFERENCES,
        {"B": stored},
    )


def _streams(root: int, name: str, seed: int, count: int) -> list[np.random.Generator]:
    return [np.random.Generator(np.random.SFC64(s)) for s in seeds.sequence(root, name, seed, "data").spawn(count)]


def _direction(stream: np.random.Generator, dimension: int) -> npt.NDArray[np.float64]:
    drawn = stream.standard_normal(dimension)
    return drawn / np.linalg.norm(drawn)
