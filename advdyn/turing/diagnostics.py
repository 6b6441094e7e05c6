"""What became of the neurons of a run: spatial structure, shape of their cloud, late growth, linear stability.

Structure and shape are measured of the initial weights, of the final ones and of their difference, so that what the
training made is told apart from what the initialisation had.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr

from advdyn import devices, io
from advdyn import seeds as streams
from advdyn.data.load import Images
from advdyn.turing import cloud, gram, inputs, spatial, stability
from advdyn.turing.cloud import OURS, ROUT, STAGES, Shape
from advdyn.turing.inputs import Examples
from advdyn.turing.network import Activation

Floats = npt.NDArray[np.floating[Any]]

COMPONENTS = 5  # principal components of the inputs
EIGENVALUES = 20
DRAWS = 8  # of the points in which the gradient penalty is taken, over which the critic's flow is averaged
KERNEL = 2048  # rows of the largest kernel that is decomposed; of larger ones there are no eigenvalues
RESOLVED = 4.0  # roundings of the stored weights that a neuron's change must exceed to have a shape

RUN, STAGED = ("lane", "seed"), ("lane", "seed", "stage")

# Name to (dims, long name, units, references).
SPATIAL: dict[str, tuple[tuple[str, ...], str, str, str]] = {
    "moran": (STAGED, "Moran's I of filters, mean over live neurons", "1", "Moran, Biometrika 37, 17 (1950)"),
    "moran_sd": (STAGED, "standard deviation of Moran's I over live neurons", "1", "Moran, Biometrika 37, 17 (1950)"),
    "k_mean": (STAGED, "mean wavenumber of filters weighted with power, mean over live neurons", "1/image", OURS),
    "dirichlet": (STAGED, "Dirichlet energy of filters over variance and pixels, mean over live neurons", "1", OURS),
    "spectrum": (
        (*STAGED, "wavenumber"), "radial power spectrum of filters, its sum 1, mean over live neurons", "1", OURS,
    ),
}  # fmt: skip
CLOUD: dict[str, tuple[str, str]] = {
    "participation": ("participation ratio of the cloud of neurons", OURS),
    "top_share": ("share of the cloud's variance along its first axis", OURS),
    "pca_ratio": ("variance of the cloud along its first axis over that along its second", OURS),
}
LATE: dict[str, str] = {
    "alpha": "slope of the log of the mean distance against log time over the last half",
    "slope": "slope of the mean distance against time over the last half, times T over the distance at T",
    "growth": "mean distance at T over that at T/2",
}
OTHERS: dict[str, tuple[tuple[str, ...], str, str, str]] = {
    "cos_mean_image": (STAGED, "mean |cosine| of a live neuron's weights and the mean input", "1", OURS),
    "pc_correlation": (
        (*STAGED, "component"), "mean |correlation| of live neurons' weights with a principal component of the inputs",
        "1", OURS,
    ),
    "off_diagonal": (
        STAGED, "share of the interaction between neurons in the Jacobian of the hidden layer", "1", ROUT
    ),
    "xi_relative": (RUN, "effective residual at the end over that at the start", "1", OURS),
    "rate_live": (RUN, "largest real part of network and live critic together", "1/time", OURS),
    "rate_frozen": (RUN, "largest real part of the network alone, zero modes aside", "1/time", OURS),
    "rate_critic": (RUN, "largest real part of the critic alone, outputs held", "1/time", OURS),
    "rate_scale": (RUN, "size of the largest eigenvalue; 1e-7 of it is rounding", "1/time", OURS),
    "critic_speed": (RUN, "|d theta/dt| of the critic at the end, 0 at its equilibrium", "1/time", OURS),
    "eigenvalue_real": ((*RUN, "eigenvalue"), "real part of the leading eigenvalues", "1/time", OURS),
    "eigenvalue_imag": ((*RUN, "eigenvalue"), "imaginary part of the leading eigenvalues", "1/time", OURS),
}  # fmt: skip


def variables(net: str) -> dict[str, tuple[tuple[str, ...], str, str, str]]:
    """Name to (dims, long name, units, references) of what ``run`` finds of a net."""
    restored = {
        f"{name}_restored": (dims, f"{text}, pixels put back in their order", unit, source)
        for name, (dims, text, unit, source) in SPATIAL.items()
    }
    layers = {"u": "hidden layer"} | ({"v": "top layer"} if net == "full" else {})
    found = SPATIAL | restored
    for layer, word in layers.items():
        found |= {f"{n}_{layer}": (STAGED, f"{text}, {word}", "1", source) for n, (text, source) in CLOUD.items()}
        found |= {f"{name}_{layer}": (RUN, f"{text}, {word}", "1", OURS) for name, text in LATE.items()}
    return found | OTHERS


def late_growth(time: Floats, distance: Floats) -> dict[str, float]:
    """How a distance d(t) grows over the last half [T/2, T] of the times.

    Parameters
    ----------
    time : shape (time,)
        Increasing, from 0.
    distance : shape (time,)
        Not negative.

    Returns
    -------
    dict
        alpha: slope of log d against log t, 1 for ballistic growth, 1/2 for diffusion, 0 for a distance that
        saturates. slope: least-squares slope of d against t, times T/d(T). growth: d(T)/d(T/2). NaN where d is not
        finite or nothing has moved, or fewer than two recorded times lie in the last half.
    """
    end = float(time[-1])
    half = time >= end / 2 * (1 - 1e-9)
    t, d = time[half], distance[half]
    if len(t) < 2 or not np.all(np.isfinite(distance)) or not np.all(d > 0):
        return dict.fromkeys(LATE, np.nan)
    growth = float(d[-1] / np.interp(end / 2, time, distance))
    return {"alpha": _slope(np.log(t), np.log(d)), "slope": _slope(t, d) * end / float(d[-1]), "growth": growth}


def _slope(x: Floats, y: Floats) -> float:
    """Least-squares slope of y against x."""
    x = x - x.mean()
    return float(x @ (y - y.mean()) / (x @ x))


def correlations(rows: Floats, others: Floats, *, centred: bool) -> Floats:
    """|cosine| (row, other) of two sets of vectors, of their departures from their means when ``centred``."""
    pair = []
    for x in (rows, others):
        moved = x - x.mean(-1, keepdims=True) if centred else x
        length = np.linalg.norm(moved, axis=-1, keepdims=True)
        pair.append(np.divide(moved, length, out=np.full_like(moved, np.nan), where=length > 0))
    return np.abs(pair[0] @ pair[1].T)


def live_neurons(initial: Floats, change: Floats, eps: float) -> npt.NDArray[np.bool_]:
    """Neurons (m,) that changed by more than the rounding ``eps`` of the weights they are stored in."""
    return np.linalg.norm(change, axis=1) > RESOLVED * eps * np.linalg.norm(initial, axis=1)


def mean(values: Floats) -> Floats:
    """Mean over axis 0 of what is finite; NaN of nothing."""
    known = np.isfinite(values)
    count = known.sum(0)
    total = np.where(known, values, 0).sum(0)
    return np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)


def of_filters(rows: Floats, shape: tuple[int, int] | None) -> dict[str, Any]:
    """Spatial measures of filters (neuron, pixel), means over neurons; nothing where they are no image."""
    if shape is None or not len(rows):
        return {}
    found = spatial.structure(rows.reshape(len(rows), *shape))
    measured = {field.name: mean(getattr(found, field.name)) for field in fields(found)}
    moran = found.moran[np.isfinite(found.moran)]
    return measured | {"moran_sd": np.std(moran) if len(moran) else np.array(np.nan)}


def of_cloud(rows: Floats, layer: str) -> dict[str, float]:
    """Shape of the cloud of neurons (neuron, dimension)."""
    found: Shape = cloud.shape(rows)
    return {f"{field.name}_{layer}": getattr(found, field.name) for field in fields(found)}


def run(
    record: xr.Dataset,
    weights: Mapping[str, Floats],
    images: Images,
    *,
    spectrum_size: int,
    root: int,
    device: devices.Device,
    dtype: Literal["float32", "float64"],
    point: Mapping[str, Any],
) -> xr.Dataset:
    """Diagnose the runs of a job.

    Parameters
    ----------
    record, weights
        What ``advdyn.turing.training.run`` returned.
    images
        The data set it was trained on.
    spectrum_size
        Largest Jacobian of which all eigenvalues are computed, see ``stability.game_spectrum``.
    root
        Root of the random streams: of the permutation, and of the draw at which the critic's loss is linearised.
    device
        Where Jacobians of smooth activations are differentiated.
    dtype
        Of training; everything here is computed in float64 from the weights that were stored.
    point
        The parameters the record was made with.

    Returns
    -------
    Dataset over (lane, seed, stage, wavenumber, component, eigenvalue), see ``variables``. What has no meaning for a
    run is NaN: everything final of a run that diverged, spatial measures of inputs that are no image, those
    ``_restored`` where no pixels were permuted, ``rate_live`` without a live critic (the eigenvalues are then those of
    the network alone), the interaction of a change.

    Raises
    ------
    InputError
        When the data set has fewer images than the record was trained on.
    """
    where = devices.resolve(device)
    chosen = {name: point[name] for name in ("net", "n", "inputs", "control")}
    data = inputs.examples(images, **chosen, root=root)
    x = np.asarray(data.x, dtype=float)
    shape = spatial.image_shape(data.shape)
    back = np.argsort(inputs.permutation(x.shape[1], root)) if point["control"] == "permuted-pixels" else None
    bins = spatial.wavenumbers(*shape) if shape else np.array([1])
    axes = cloud.principal(x, COMPONENTS)
    lanes, seeds = record.sizes["lane"], record.sizes["seed"]
    lengths = {
        "lane": lanes, "seed": seeds, "stage": len(STAGES), "wavenumber": len(bins), "component": COMPONENTS,
        "eigenvalue": EIGENVALUES,
    }  # fmt: skip
    described = variables(point["net"])
    out = {name: np.full([lengths[d] for d in dims], np.nan) for name, (dims, *_) in described.items()}
    layers = {"u": "U", "v": "V"} if point["net"] == "full" else {"u": "U"}
    eps = float(np.finfo(weights["U"].dtype).eps)

    for s in range(seeds):
        initial = np.asarray(weights["U0"][s], dtype=float)
        first = {"off_diagonal": _interaction(x, initial, weights["V0"][s], point["activation"])}
        for lane in range(lanes):
            final = np.asarray(weights["U"][lane, s], dtype=float)
            change = final - initial
            live = live_neurons(initial, change, eps)
            found: dict[str, dict[str, Any]] = {"initial": dict(first), "final": {}, "change": {}}
            for stage, rows in zip(STAGES, (initial, final, change), strict=True):
                if stage != "initial" and not np.all(np.isfinite(final)):
                    continue
                here = found[stage]
                shown = rows[live] if np.all(np.isfinite(final)) else rows
                here |= of_filters(shown, shape)
                if back is not None:
                    here |= {f"{name}_restored": v for name, v in of_filters(shown[:, back], shape).items()}
                if len(shown):
                    here["cos_mean_image"] = mean(correlations(shown, x.mean(0)[None], centred=False))[0]
                    here["pc_correlation"] = mean(correlations(shown, axes, centred=True))
                here |= of_cloud(rows, "u")
                if "v" in layers:
                    v0, v = (np.asarray(a, dtype=float).T for a in (weights["V0"][s], weights["V"][lane, s]))
                    here |= of_cloud({"initial": v0, "final": v, "change": v - v0}[stage], "v")
            if np.all(np.isfinite(final)):
                found["final"]["off_diagonal"] = _interaction(x, final, weights["V"][lane, s], point["activation"])
            for number, stage in enumerate(STAGES):
                for name, value in found[stage].items():
                    out[name][lane, s, number] = value
            single = _growth(record.isel(lane=lane, seed=s), layers)
            single |= _stability(record, weights, data, point, lane, s, where, root, spectrum_size)
            for name, value in single.items():
                out[name][lane, s] = value

    data_vars = {name: io.variable(dims, out[name], *about) for name, (dims, *about) in described.items()}
    coords = {name: record[name].variable for name in ("adversary", "adversary_weight", "penalty", "seed")}
    coords |= {
        "stage": io.variable(("stage",), list(STAGES), "weights at the start, at the end, and their difference"),
        "wavenumber": io.variable(("wavenumber",), bins, "wavenumber, periods per image", "1/image", OURS),
        "component": io.variable(("component",), np.arange(1, COMPONENTS + 1), "principal component of the inputs"),
        "eigenvalue": io.variable(("eigenvalue",), np.arange(1, EIGENVALUES + 1), "eigenvalue, rightmost first"),
    }
    attrs = {"title": "Diagnostics of two-layer networks", "device": str(where), "dtype": dtype}
    return xr.Dataset(data_vars, coords=coords, attrs=attrs)


def _interaction(x: Floats, u: Floats, v: Floats, activation: str) -> float:
    slope = stability.slopes(u @ x.T, Activation(activation))
    return stability.off_diagonal(slope, x @ x.T, v)


def _growth(one: xr.Dataset, layers: Mapping[str, str]) -> dict[str, Any]:
    """Late growth of a run, and what is left of its effective residual."""
    found: dict[str, Any] = {}
    for layer in layers:
        # neurons that never moved lower the mean at all times alike, and none of these ratios
        average = one[f"d{layer}"].to_numpy().mean(1, dtype=float)
        found |= {f"{k}_{layer}": v for k, v in late_growth(one["time"].to_numpy(), average).items()}
    xi = one["xi"].to_numpy()
    return found | {"xi_relative": xi[-1] / xi[0] if xi[0] > 0 else np.nan}


def _stability(
    record: xr.Dataset, weights: Mapping[str, Floats], data: Examples, point: Mapping[str, Any], lane: int, s: int,
    where: torch.device, root: int, whole: int,
) -> dict[str, Any]:  # fmt: skip
    """Eigenvalues of the flow linearised at the end of a run."""
    u, z = weights["U"][lane, s], weights["z"][lane, s]
    n, d_out = z.shape
    if n * d_out > KERNEL or not (np.all(np.isfinite(u)) and np.all(np.isfinite(z))):
        return {}
    activation = Activation(point["activation"])
    x, u = np.asarray(data.x, dtype=float), np.asarray(u, dtype=float)
    if point["net"] == "theory":
        h = gram.empirical(x @ x.T, stability.slopes(u @ x.T, activation))
    else:
        h = gram.block_kernel(x, u, weights["V"][lane, s], point["activation"])
    alone = stability.network_spectrum(h)
    found = {"rate_frozen": alone[0] if len(alone) else np.nan}
    values, live = alone.astype(complex), str(record["adversary"].to_numpy()[lane]) == "with"
    if live and point["control"] in ("none", "permuted-pixels"):
        held = torch.as_tensor(h, dtype=torch.float64, device=where)
        w, a, outputs, y = (
            torch.as_tensor(np.asarray(array, dtype=float), device=where)
            for array in (weights["W"][lane, s], weights["a"][lane, s], z, data.y)
        )
        # the shares e of the critic's first steps in training; one draw alone, of a critic with several inputs, has
        # rates three times those of the mean flow
        stream = streams.sequence(root, inputs.STUDY, int(record["seed"][s]), "training").spawn(3)[0]
        draw = np.random.Generator(np.random.SFC64(stream)).random((DRAWS, n, 1))
        game = stability.Game(
            y,
            torch.as_tensor(draw, device=where),
            lambda xi: held @ xi,
            weight=float(record["adversary_weight"][lane]),
            sign=point["sign"],
            rate=point["critic_rate"] * point["critic_steps"],
            penalty=float(record["penalty"][lane]),
            target_slope=point["target_slope"],
            activation=activation,
            scale=(d_out * point["width"]) ** 0.5 if point["critic_argument"] == "raw" else 1.0,
        )
        spectrum = stability.game_spectrum(game, stability.State(outputs, w, a), EIGENVALUES, whole)
        values = spectrum.values
        found |= {"rate_live": spectrum.rate, "rate_critic": spectrum.critic}
        found |= {"rate_scale": spectrum.scale, "critic_speed": spectrum.speed}
    leading = np.full(EIGENVALUES, np.nan + 0j)
    leading[: len(values)] = values[:EIGENVALUES]
    real = {"eigenvalue_real": leading.real, "eigenvalue_imag": np.where(np.isnan(leading.real), np.nan, leading.imag)}
    return found | real
