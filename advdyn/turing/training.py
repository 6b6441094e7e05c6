"""Train two-layer networks with and without an adversary on their outputs, all lanes and seeds as one batch.

Gradient descent on L = 1/2 |z - Y|^2 -+ w sum_p g(z_p) beside a critic g that descends its own loss: du_j/dt = R_j +
D_j with the reaction of y - z and the diffusion of q = +-w grad_z sum g. Both are the same map, so what acts is the
effective residual xi = (z - y) - q.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
import xarray as xr

from advdyn import devices
from advdyn.data.load import Images
from advdyn.errors import InputError
from advdyn.logs import log
from advdyn.turing import controls, engine, record
from advdyn.turing.engine import Kind, Plan
from advdyn.turing.hidden import factor
from advdyn.turing.inputs import examples
from advdyn.turing.network import Activation
from advdyn.turing.record import Recorder

KINDS: dict[str, Kind] = {
    "none": "live", "permuted-pixels": "live", "frozen-critic": "frozen", "random-field": "field",
    "label-scaled": "supervised",
}  # fmt: skip


def run(
    images: Images,
    *,
    dataset: str,  # noqa: ARG001 (a parameter of the step, met in the images)
    net: str,
    n: int,
    width: int,
    adversary: str | Sequence[str],
    adversary_weight: float | Sequence[float],
    sign: str,
    penalty: float | Sequence[float],
    critic_width: int,
    critic_steps: int,
    critic_rate: float,
    target_slope: float,
    critic_argument: str,
    control: str,
    frozen_steps: int,
    field_time: float,
    activation: str,
    initial_scale: float,
    inputs: str,
    optimiser: str,
    batch: int,
    form: str,
    eta: float,
    duration: float,
    times: Sequence[float],
    gram_every: int,
    filters: int,
    root: int,
    device: devices.Device,
    dtype: Literal["float32", "float64"],
    seeds: Sequence[int],
) -> tuple[xr.Dataset, dict[str, np.ndarray]]:
    """Train one network for each lane (adversary, adversary_weight, penalty) and seed.

    Parameters
    ----------
    images
        Of training the first ``n`` are used; see ``inputs.examples`` for ``net``, ``inputs`` and the permuted pixels.
    dataset
        Name of the data set; not read.
    net
        ``theory``: one output, the second layer +-1 and fixed; ``full``: both layers are trained.
    width, initial_scale, activation
        Hidden neurons m, standard deviation of U(0), sigma of network and critic.
    adversary, adversary_weight, penalty
        Scalars, or lists: their product is the dimension ``lane``, in C order; all of ``without`` is one lane.
    sign
        ``minus``: L = 1/2 |z - y|^2 - w sum g(z), of the paper; ``plus`` of the poster.
    critic_width, critic_steps, critic_rate, target_slope, penalty
        Of the critic, see ``critic.Critic``; its step size is critic_rate eta, critic_steps before each of the network.
    critic_argument
        ``normalised``: the term is sum g(z); ``raw``: (d_out m)^(-1/2) sum g(V sigma(U x)). The critic learns from z.
    control
        ``none``; ``label-scaled``: no critic, targets scaled so that the displacement is that of the live run of the
        same seed; ``frozen-critic``: held after ``frozen_steps`` on the initial outputs; ``random-field``:
        q is an Ornstein-Uhlenbeck process of correlation time ``field_time`` and the live run's root mean square;
        ``permuted-pixels``. Lanes without an adversary stay as they are.
    optimiser, batch
        ``gd``; ``sgd``: the sum over a batch, times n/batch; ``adam`` with step size eta. The critic sees all examples.
    form
        ``span`` or ``plain``, see ``hidden``; ``auto``: span where it is exact and n < d.
    eta, duration, times
        Step size; time eta x steps up to which a run goes; times recorded, at the next step.
    gram_every
        See ``spectrum.Extremes``.
    filters
        Neurons of the first seed whose weights are kept at up to 6 of the recorded times.

    Returns
    -------
    record
        Over lane, seed, time, neuron, shown, snapshot and pixel; times are eta x steps, all else has unit 1. A run
        whose |xi| is not finite or exceeds 1e6 max(1, |xi(0)|) has ``diverged_at``, and NaN from there on.
    weights
        U0 (seed, m, d), U (lane, seed, m, d), V0 (seed, d_out, m), V (lane, seed, d_out, m) in float32; W (lane, seed,
        m_c, d_out), a (lane, seed, m_c), z and q (lane, seed, n, d_out) at the end, in ``dtype``.

    Raises
    ------
    InputError
        When the images do not suffice or cannot be scaled to length 1, or span is asked for with adam.
    DeviceError
        When ``device`` is not there.
    """
    where: dict[str, Any] = {"device": devices.resolve(device), "dtype": devices.DTYPES[dtype]}
    if optimiser == "adam" and form == "span":
        raise InputError("form: found 'span', allowed: auto or plain with adam, which leaves the span of the inputs")
    data = examples(images, net=net, n=n, inputs=inputs, control=control, root=root)
    pixels, outputs = data.x.shape[1], data.y.shape[1]
    lanes = engine.lanes_of(adversary, adversary_weight, penalty)
    per = len(lanes), len(seeds)
    runs = per[0] * per[1]
    steps, recorded = record.grid(times, eta, duration)
    span = form == "span" or (form == "auto" and optimiser != "adam" and n < pixels)
    plan = Plan(
        net, lanes, KINDS[control], 1.0 if sign == "minus" else -1.0, critic_steps, critic_rate, target_slope,
        critic_argument == "raw", frozen_steps, field_time, Activation(activation), optimiser, batch, span, eta, steps,
        gram_every, where,
    )  # fmt: skip
    begin = engine.start(
        root,
        seeds,
        net=net,
        pixels=pixels,
        outputs=outputs,
        width=width,
        critic_width=critic_width,
        scale=initial_scale,
    )
    scale, wanted, sd = np.ones(runs), np.full(runs, np.nan), np.full(runs, np.nan)
    if any(lane.adversary == "with" for lane in lanes):
        if control == "label-scaled":
            scale, wanted = controls.label_scale(data, begin, plan)
            plan = replace(plan, label_scale=scale)
        elif control == "random-field":
            sd = controls.field_sd(data, begin, plan)
            plan = replace(plan, field_sd=sd)
    x = np.asarray(data.x, np.float64)
    recorder = Recorder(
        runs, width, recorded, torch.as_tensor(factor(x), **where), torch.as_tensor(x @ x.T, device=where["device"]),
        full=plan.full,
    )  # fmt: skip
    end = engine.train(data, begin, plan, recorder, min(filters, width))
    lost = np.isfinite(end.diverged_at)
    for at in end.diverged_at[lost]:
        log.warning("a run diverged at time %g", at)
    sups = [np.where(lost[:, None], np.nan, values) for values in (end.c_sup, end.sigma_sup)]
    still = {
        "c_sup": (sups[0], "largest |v_j|/sqrt(d_out m) over the steps", "1"),
        "sigma_sup": (sups[1], "largest |sigma(X u_j)| over the steps", "1"),
        "diverged_at": (end.diverged_at, "time at which the run diverged", "1"),
        "dead": (np.where(lost, np.nan, (recorder.du["u"][:, -1] == 0).sum(-1)), "neurons that never moved", "1"),
        "label_scale": (scale, "factor of the targets", "1"),
        "displacement_ratio": (end.distance / wanted, "mean distance over that of the run with the live critic", "1"),
        "field_sd": (sd, "standard deviation of the random field", "1"),
    }
    coords = {
        "adversary": np.array([lane.adversary for lane in lanes]),
        "adversary_weight": [lane.weight for lane in lanes],
        "penalty": [lane.penalty for lane in lanes],
        "seed": np.asarray(seeds),
        "time": np.asarray(recorded) * eta,
        "snapshot": np.asarray(list(recorder.snapshots)) * eta,
    }
    attrs = {
        "device": where["device"].type, "dtype": dtype, "generator": "SFC64", "form": "span" if span else "plain",
        "classes": ",".join(map(str, data.classes)), "image_shape": ",".join(map(str, data.shape)),
    }  # fmt: skip
    shown = np.stack(end.filters, axis=2).astype(np.float32)
    final = {
        "V": end.V.cpu().numpy().astype(np.float32), "W": end.W.cpu().numpy(), "a": end.a.cpu().numpy(),
        "z": end.z.mT.cpu().numpy(), "q": end.q.mT.cpu().numpy(),
        "U": np.stack([end.hidden.weights(run).astype(np.float32) for run in range(runs)]),
    }  # fmt: skip
    for values in final.values():
        values[lost] = np.nan  # also of a run that was lost at its last step
    weights = {name: values.reshape(*per, *values.shape[1:]) for name, values in final.items()}
    weights |= {"U0": begin.U.astype(np.float32), "V0": begin.V.astype(np.float32)}
    return record.dataset(recorder.timed, recorder.du, recorder.each, still, shown, coords, per, attrs), weights
