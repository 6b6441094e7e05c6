"""Simulation of online adversarial training on the Gaussian mixture, by the lumped chain or the full stream."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from advdyn import io, lanes, logs
from advdyn.mixture import errors, lumped

STUDY = "mixture"
PLOT_EXAMPLES = 400
"""Test examples whose potentials are kept for figures."""

SEED = "Straat, Modelling adversarial training"
LUMPED = "exact reduction of online learning with isotropic noise and attack along w, any finite N"


def coordinates(axes: lanes.Lanes, seed_list: Sequence[int]) -> dict[str, xr.Variable]:
    """The coordinates ``seed`` and one for each lane axis."""
    coords = {"seed": io.variable(["seed"], np.asarray(seed_list, dtype=np.int64), "seed of the replicate")}
    for name, values in axes.coords.items():
        coords[name] = io.variable([name], values, name)
    return coords


def run(
    simulator: Literal["lumped", "full"],
    prior: lanes.Parameter,
    rho: lanes.Parameter,
    v1: lanes.Parameter,
    v2: lanes.Parameter,
    eta_w: lanes.Parameter,
    eta_b: lanes.Parameter,
    eps_train: lanes.Parameter,
    dimension: int,
    R0: float,
    b0: float,
    alpha: Sequence[float],
    full_alpha_max: float,
    eps: Sequence[float],
    eps_report: float,
    test_examples: int,
    root: int,
    seeds: Sequence[int],
    device: Literal["auto", "cpu", "cuda"],
    dtype: Literal["float32", "float64"],
) -> xr.Dataset:
    """Simulate online learning for a block of seeds and all lanes.

    Parameters
    ----------
    simulator
        "lumped" (R and b only, exact at finite N) or "full" (all N components, and errors on a test set).
    prior, rho, v1, v2, eta_w, eta_b, eps_train
        Model and learning; a list is a lane axis, and the product of the lists is computed.
    dimension
        N >= 2.
    R0, b0
        Initial overlap and bias.
    alpha
        Increasing times step/N to record at, each at the nearest step.
    full_alpha_max
        The full stream stops at the last alpha up to this one.
    eps, eps_report
        Attack lengths of the robustness curve; the one of ``adversarial_error_report_*``.
    test_examples
        Fresh examples of each seed on which the full stream's errors are measured.
    root, seeds
        Address of the random streams. A seed's numbers do not depend on the other seeds and lanes.
    device, dtype
        For the full stream. The lumped chain always runs on the CPU in float64, and says so in the attributes.

    Returns
    -------
    xr.Dataset
        R_sim, b_sim and errors, dims (seed, *lanes, alpha); robustness_sim (seed, *lanes, eps) at the last alpha;
        diverged (seed, *lanes), with NaN from the first record after the divergence. The full stream adds
        ``*_sampled`` from its test set, and h_test, y_test, label (seed, *lanes, example).

    Raises
    ------
    ValueError
        Unknown simulator; alpha not increasing from >= 0, or nothing of it up to full_alpha_max; N < 2.
    RuntimeError
        CUDA asked for by name and missing.
    """
    axes = lanes.expand(prior=prior, rho=rho, v1=v1, v2=v2, eta_w=eta_w, eta_b=eta_b, eps_train=eps_train)
    coords = coordinates(axes, seeds)
    dims = ("seed", *axes.dims)
    sampled: dict[str, NDArray[Any]] = {}
    if simulator == "lumped":
        if device == "cuda":
            from advdyn import devices

            devices.resolve(device)  # what was asked for by name must be there, used or not
            logs.log.warning("device: cuda is for the full stream; the lumped chain runs on the CPU in float64")
        times = [float(a) for a in alpha]
        R, b = lumped.trajectories(axes, dimension, R0, b0, times, root, STUDY, seeds)
        attributes = {
            "device": "cpu",
            "dtype": "float64",
            "generator": f"numpy SFC64, one stream per seed in blocks of {lumped.BLOCK} steps, shared by all lanes",
        }
    elif simulator == "full":
        times = [float(a) for a in alpha if a <= full_alpha_max]
        if not times:
            raise ValueError(f"no alpha of {list(alpha)} is up to full_alpha_max = {full_alpha_max}")
        R, b, sampled, attributes = _full(
            axes, dimension, R0, b0, times, eps, eps_report, test_examples, root, seeds, device, dtype
        )
    else:
        raise ValueError(f"simulator is {simulator!r}; allowed: lumped, full")

    coords["alpha"] = io.variable(["alpha"], times, "learning time, examples per dimension")
    coords["eps"] = io.variable(["eps"], np.asarray(eps, dtype=float), "length of the attack")
    per_lane = {name: axes.values[name][:, None] for name in ("prior", "rho", "v1", "v2")}
    at_train, at_report = axes.values["eps_train"][:, None], float(eps_report)
    last = R[:, :, -1:], b[:, :, -1:]
    data = {
        "R_sim": ("alpha", R, "overlap of weights and teacher, simulated", LUMPED if simulator == "lumped" else SEED),
        "b_sim": ("alpha", b, "bias, simulated", LUMPED if simulator == "lumped" else SEED),
        "test_error_sim": (
            "alpha",
            errors.test_error(R, b, **per_lane),
            "classification error of the simulated (R, b), closed form",
            SEED,
        ),
        "adversarial_error_sim": (
            "alpha",
            errors.adversarial_error(R, b, at_train, **per_lane),
            "error under the training attack of the simulated (R, b), closed form",
            SEED,
        ),
        "adversarial_error_report_sim": (
            "alpha",
            errors.adversarial_error(R, b, at_report, **per_lane),
            f"error under attacks of length {at_report:g} of the simulated (R, b), closed form",
            SEED,
        ),
        "robustness_sim": (
            "eps",
            errors.adversarial_error(*last, np.asarray(eps, dtype=float), **per_lane),
            "error under attack of the simulated (R, b) at the last alpha, closed form",
            SEED,
        ),
    }
    examples = f"on {test_examples} fresh examples"
    sampled_names = {
        "test_error_sampled": ("alpha", f"classification error {examples}"),
        "adversarial_error_sampled": ("alpha", f"error under the training attack {examples}"),
        "adversarial_error_report_sampled": ("alpha", f"error under attacks of length {at_report:g} {examples}"),
        "robustness_sampled": ("eps", f"error under attack at the last alpha {examples}"),
        "h_test": ("example", "local potential w.xi of test examples at the last alpha"),
        "y_test": ("example", "projection B.xi of test examples"),
        "label": ("example", "label tau of test examples"),
    }
    for name, values in sampled.items():
        data[name] = (sampled_names[name][0], values, sampled_names[name][1], SEED)
    if sampled:
        coords["example"] = io.variable(["example"], np.arange(sampled["label"].shape[-1]), "test example")
    variables = {
        name: io.variable((*dims, dim), axes.unflatten(np.asarray(values), 1), long_name, references=references)
        for name, (dim, values, long_name, references) in data.items()
    }
    diverged = np.isnan(R[:, :, -1]).astype(np.int8)
    variables["diverged"] = io.variable(
        dims, axes.unflatten(diverged, 1), "1 where the state was not finite at the end"
    )
    at = np.full((len(coords["seed"]), *axes.shape), times[-1])
    variables["robustness_alpha"] = io.variable(dims, at, "learning time at which the robustness curve is taken")
    return xr.Dataset(variables, coords, {"simulator": simulator, **attributes})


def _full(
    axes: lanes.Lanes,
    dimension: int,
    R0: float,
    b0: float,
    alpha: Sequence[float],
    eps: Sequence[float],
    eps_report: float,
    test_examples: int,
    root: int,
    seed_list: Sequence[int],
    device: Literal["auto", "cpu", "cuda"],
    dtype: str,
) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[str, NDArray[Any]], dict[str, str]]:
    """Train and measure with the full stream; R and b (seeds, lanes, alpha), the sampled variables, the attributes."""
    from advdyn import devices  # torch costs more time to import than a small lumped job takes
    from advdyn.mixture import full

    where = devices.resolve(device)
    task = full.Task(axes, dimension, R0, b0, alpha, root, STUDY, dtype)
    R, b, measured = [], [], []
    for path in full.trajectories(task, seed_list, where):
        R.append(path.R.T)
        b.append(path.b.T)
        measured.append(full.measure(task, path, eps, eps_report, test_examples, PLOT_EXAMPLES))
    sampled: dict[str, NDArray[Any]] = {
        "test_error_sampled": np.stack([m.error.T for m in measured]),
        "adversarial_error_sampled": np.stack([m.adversarial.T for m in measured]),
        "adversarial_error_report_sampled": np.stack([m.adversarial_report.T for m in measured]),
        "robustness_sampled": np.stack([m.robustness for m in measured]),
        "h_test": np.stack([m.h for m in measured]),
        "y_test": np.stack([m.y for m in measured]),
        "label": np.stack([m.label for m in measured]),
    }
    attributes = {
        "device": where.type,
        "dtype": dtype,
        "generator": f"torch mt19937 normals in float32 made on the CPU in blocks of {full.TRAINING_BLOCK}, "
        "numpy SFC64 labels, one stream of each per seed, shared by all lanes",
    }
    return np.stack(R), np.stack(b), sampled, attributes
