"""How the stream approaches its large-N description: fluctuations of (R, b) with N, and the law of the potential."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from advdyn import io, lanes, logs, seeds
from advdyn.mixture import lumped, simulation

STUDY = "mixture-scaling"
NOISES = ("gaussian", "rademacher")


def stream_name(part: str, dimension: int) -> str:
    """Study name of the streams of one part at one N, so that sizes are independent whichever are asked for."""
    return f"{STUDY}/{part}/{dimension}"


def run(
    prior: lanes.Parameter,
    rho: lanes.Parameter,
    v1: lanes.Parameter,
    v2: lanes.Parameter,
    eta_w: lanes.Parameter,
    eta_b: lanes.Parameter,
    eps_train: lanes.Parameter,
    R0: float,
    b0: float,
    scaling_dimensions: Sequence[int],
    scaling_alpha: float,
    scaling_seeds: int,
    potential_dimensions: Sequence[int],
    potential_examples: int,
    root: int,
) -> xr.Dataset:
    """Finite-size samples for the comparison with the limit N -> infinity.

    Parameters
    ----------
    prior, rho, v1, v2, eta_w, eta_b, eps_train
        Model and learning; lists are lanes.
    R0, b0
        Initial overlap and bias.
    scaling_dimensions, scaling_alpha, scaling_seeds
        N of the lumped chains, the time at which they are read, and how many independent ones at each N.
    potential_dimensions, potential_examples
        N at which the potential is sampled, and how many fresh examples at each.
    root
        Root of the random streams.

    Returns
    -------
    xr.Dataset
        R_scaling, b_scaling (dimension, seed, *lanes), independent over dimension and seed (lanes share random
        numbers). potential (potential_dimension, noise, *lanes, example): (x - m_tau)/sqrt(v_tau) with x = w.xi_adv - b
        and m_tau = tau (rho R/2 - eps_train) - b, for (w, b) trained at that N up to scaling_alpha. It is standard
        normal at any N when the noise of the examples is gaussian, and with +-1 components (the control) only as w
        spreads over many of them. potential_label (potential_dimension, *lanes, example).

    Raises
    ------
    ValueError
        When an N is below 2 or a list is empty.
    """
    axes = lanes.expand(prior=prior, rho=rho, v1=v1, v2=v2, eta_w=eta_w, eta_b=eta_b, eps_train=eps_train)
    replicates = range(scaling_seeds)
    R = np.empty((len(scaling_dimensions), scaling_seeds, axes.size))
    b = np.empty_like(R)
    for i, dimension in enumerate(scaling_dimensions):
        logs.log.debug("fluctuations at N = %d", dimension)
        name = stream_name("fluctuations", dimension)
        paths = lumped.trajectories(axes, dimension, R0, b0, [scaling_alpha], root, name, replicates)
        R[i], b[i] = (path[:, :, -1] for path in paths)

    potential = np.empty((len(potential_dimensions), len(NOISES), axes.size, potential_examples))
    label = np.empty((len(potential_dimensions), axes.size, potential_examples), dtype=np.int8)
    for i, dimension in enumerate(potential_dimensions):
        logs.log.debug("potential at N = %d", dimension)
        potential[i], label[i] = _potential(axes, dimension, R0, b0, scaling_alpha, potential_examples, root)

    coords = simulation.coordinates(axes, replicates)
    coords["dimension"] = io.variable(["dimension"], np.asarray(scaling_dimensions, dtype=np.int64), "dimension N")
    coords["potential_dimension"] = io.variable(
        ["potential_dimension"], np.asarray(potential_dimensions, dtype=np.int64), "dimension N"
    )
    coords["noise"] = xr.Variable(("noise",), list(NOISES), {"long_name": "law of the noise components", "units": "1"})
    coords["example"] = io.variable(["example"], np.arange(potential_examples), "fresh example")
    dims = ("dimension", "seed", *axes.dims)
    at = f"at alpha = {scaling_alpha:g}"
    variables = {
        "R_scaling": io.variable(
            dims, axes.unflatten(R, 2), f"overlap of weights and teacher {at}", references=simulation.LUMPED
        ),
        "b_scaling": io.variable(dims, axes.unflatten(b, 2), f"bias {at}", references=simulation.LUMPED),
        "potential": io.variable(
            ("potential_dimension", "noise", *axes.dims, "example"),
            axes.unflatten(potential, 2),
            "local potential of the attacked example, standardised by the moments of its class",
            references=simulation.SEED,
        ),
        "potential_label": io.variable(
            ("potential_dimension", *axes.dims, "example"),
            axes.unflatten(label, 1),
            "label tau of the example",
            references=simulation.SEED,
        ),
    }
    attributes = {
        "device": "cpu",
        "dtype": "float64",
        "generator": "numpy SFC64; torch mt19937 for the training noise of the potentials' weights",
    }
    return xr.Dataset(variables, coords, attributes)


def _potential(
    axes: lanes.Lanes, dimension: int, R0: float, b0: float, alpha: float, examples: int, root: int
) -> tuple[np.ndarray, np.ndarray]:
    """Standardised potentials (noise, lanes, examples) and labels (lanes, examples) of weights trained at this N."""
    from advdyn.mixture import full  # imports torch, which the commands that only list studies do without

    name = stream_name("potential", dimension)
    path = full.train(full.Task(axes, dimension, R0, b0, [alpha], root, name, "float64"), seed=0)
    generator = seeds.generator(root, name, 0, "evaluation")
    uniform = generator.random(examples)
    noises = (
        generator.standard_normal((examples, dimension)),
        2.0 * generator.integers(0, 2, (examples, dimension)) - 1.0,
    )
    potential = np.empty((len(noises), axes.size, examples))
    label = np.empty((axes.size, examples), dtype=np.int8)
    p = axes.values
    for lane in range(axes.size):
        tau = np.where(uniform < p["prior"][lane], 1.0, -1.0)
        sd = np.sqrt(np.where(tau > 0, p["v1"][lane], p["v2"][lane]))
        w, R, b, eps = path.weights[-1, lane], path.R[-1, lane], path.b[-1, lane], p["eps_train"][lane]
        label[lane] = tau
        for j, z in enumerate(noises):
            xi = (tau * p["rho"][lane] / 2)[:, None] * path.teacher + sd[:, None] * z
            attacked = xi - (tau * eps)[:, None] * w
            potential[j, lane] = (attacked @ w - b - (tau * (p["rho"][lane] * R / 2 - eps) - b)) / sd
    return potential, label
