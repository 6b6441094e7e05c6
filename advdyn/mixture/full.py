"""The full stream: online learning with all N components of every example, and its errors measured on a test set.

One step (w is a unit vector, tau = +-1 with P(+1) = prior, v_+ = v1, v_- = v2):

    xi = tau (rho/2) B + sqrt(v_tau) z        xi_adv = xi - tau eps w        x = w.xi_adv - b
    F  = (erf x - tau) g(x)                   w <- (w - (eta_w/N) F xi_adv) / |.|        b <- b + (eta_b/N) F

Two implementations eat the same normals, which torch makes on the CPU (the fastest generator measured; its
float32 normals end at |z| = 5.8, a probability of 1e-8): a numba kernel for the CPU, and one batch of tensors
for a GPU.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray

from advdyn import devices, lanes, logs, seeds
from advdyn.mixture import lumped

Array = NDArray[np.float64]

TRAINING_BLOCK = 1 << 16
"""Normals drawn at a time in training: they stay in the L2 cache. Part of the definition of a seed's stream."""
EVALUATION_BLOCK, EVALUATION_ROWS = 1 << 20, 1 << 12
"""Normals, and at most how many examples, drawn at a time for the test set: it never lies in memory as a whole."""
BATCH_BYTES = 200_000_000
"""Memory that a batch of seeds on a GPU may take in recorded weights and normals."""


@dataclass(frozen=True)
class Task:
    """What all seeds of a job have in common.

    Attributes
    ----------
    axes
        Lanes of prior, rho, v1, v2, eta_w, eta_b, eps_train.
    dimension
        N >= 2.
    R0, b0
        Initial overlap and bias.
    alpha
        Times step/N to record at, each at the nearest step.
    root, study
        Address of the random streams.
    dtype
        Of the weights, "float32" or "float64". The scalars of a step are float64 in either.
    """

    axes: lanes.Lanes
    dimension: int
    R0: float
    b0: float
    alpha: Sequence[float]
    root: int
    study: str
    dtype: str


@dataclass(frozen=True)
class Trajectory:
    """One seed's recorded states: teacher (N,), unit weights (alpha, lanes, N), R and b (alpha, lanes).

    R and b are float64, and NaN after a divergence.
    """

    seed: int
    teacher: Array
    weights: NDArray[Any]
    R: Array
    b: Array


def teacher(task: Task, seed: int) -> Array:
    """The unit vector B of a seed, uniform on the sphere, shape (N,)."""
    B = seeds.generator(task.root, task.study, seed, "data").standard_normal(task.dimension)
    return B / np.linalg.norm(B)


def initial_weights(task: Task, seed: int, B: Array) -> Array:
    """w(0) = R0 B + sqrt(1 - R0^2) u with u a random unit vector orthogonal to B, shape (N,)."""
    u = seeds.generator(task.root, task.study, seed, "initialisation").standard_normal(task.dimension)
    for _ in range(2):  # the second pass removes what rounding left, which matters when u was nearly along B
        u -= (u @ B) * B
        u /= np.linalg.norm(u)
    return task.R0 * B + math.sqrt(max(0.0, 1 - task.R0**2)) * u


def training_rows(dimension: int) -> int:
    """Examples in one block of training."""
    return max(1, TRAINING_BLOCK // dimension)


def blocks(task: Task, seed: int, purpose: str) -> Iterator[tuple[Array, torch.Tensor]]:
    """Endless blocks of label uniforms (rows,) and float32 normals (rows, N), each overwriting the one before.

    ``rows`` depends on N and the purpose only, so neither record times nor lanes shift the stream.
    """
    rows = training_rows(task.dimension)
    if purpose == "evaluation":
        rows = min(max(1, EVALUATION_BLOCK // task.dimension), EVALUATION_ROWS)
    labels = seeds.generator(task.root, task.study, seed, purpose)
    noise = torch.Generator().manual_seed(seeds.integer(task.root, task.study, seed, purpose))
    uniform, normal = np.empty(rows), torch.empty(rows, task.dimension)
    while True:
        labels.random(out=uniform)
        normal.normal_(generator=noise)
        yield uniform, normal


# Only what lets the sums vectorise is relaxed; NaN and infinity keep their meaning. The order of a sum is fixed
# when the kernel is compiled, so on one CPU model the bits depend neither on the lanes nor on the seeds beside.
@numba.njit(error_model="numpy", fastmath={"reassoc", "contract"})
def advance(
    w: NDArray[Any],
    scale: Array,
    overlap: Array,
    b: Array,
    B: NDArray[Any],
    uniform: Array,
    normal: NDArray[np.float32],
    first: int,
    last: int,
    constants: Array,
) -> None:
    """Advance one seed in place through the rows first..last-1 of a block of examples.

    Parameters
    ----------
    w
        Weights short of their last normalisation, shape (lanes, N): the unit vector is scale w.
    scale, overlap, b
        1/|w|, w.B (of the unscaled w) and the bias, shape (lanes,).
    B
        Teacher, shape (N,), of the dtype of w.
    uniform, normal
        Shapes (rows,) and (rows, N), shared by all lanes.
    first, last
        Rows of the block to use.
    constants
        From ``lumped.constants``, shape (7, lanes).
    """
    real = w.dtype.type
    for lane in range(w.shape[0]):
        prior, half_rho, sd1, sd2, rate_w, rate_b, eps = constants[:, lane]
        row_w = w[lane]
        for row in range(first, last):
            z = normal[row]
            up = uniform[row] < prior
            tau = 1.0 if up else -1.0
            sd = sd1 if up else sd2
            dot = real(0)
            for i in range(z.size):
                dot += row_w[i] * z[i]
            h = scale[lane] * (tau * half_rho * overlap[lane] + sd * dot)
            x = h - tau * eps - b[lane]
            F = (math.erf(x) - tau) * lumped.TWO_OVER_SQRT_PI * math.exp(-x * x)
            c = rate_w * F
            # w - c xi_adv = (1 + c tau eps) w - c tau (rho/2) B - c sqrt(v) z, with the scale of w caught up
            of_w = real((1.0 + c * tau * eps) * scale[lane])
            of_B = real(-c * tau * half_rho)
            of_z = real(-c * sd)
            square = real(0)
            along_B = real(0)
            for i in range(z.size):
                new = of_w * row_w[i] + of_B * B[i] + of_z * z[i]
                row_w[i] = new
                square += new * new
                along_B += new * B[i]
            # an overflow is a divergence, not w = 0
            scale[lane] = 1.0 / math.sqrt(square) if square < np.inf else np.nan
            overlap[lane] = along_B
            b[lane] += rate_b * F


def train(task: Task, seed: int) -> Trajectory:
    """Train one seed, all lanes, on the CPU.

    Raises
    ------
    ValueError
        From ``lumped.record_steps``.
    """
    steps = lumped.record_steps(task.alpha, task.dimension)
    fixed = lumped.constants(task.axes, task.dimension)
    B = teacher(task, seed)
    B_kernel = B.astype(task.dtype)
    w = np.tile(initial_weights(task, seed, B).astype(task.dtype), (task.axes.size, 1))
    scale = 1 / np.sqrt(np.sum(w * w, axis=1, dtype=float))
    overlap = np.sum(w * B_kernel, axis=1, dtype=float)  # not w @ B: BLAS rounds by the number of lanes
    b = np.full(task.axes.size, float(task.b0))
    weights = np.empty((len(steps), *w.shape), dtype=task.dtype)
    biases = np.empty((len(steps), task.axes.size))
    stream = blocks(task, seed, "training")
    rows = training_rows(task.dimension)
    for moves, (uniform, normal) in zip(lumped.plan(steps, rows), stream, strict=False):
        for first, last, record in moves:
            advance(w, scale, overlap, b, B_kernel, uniform, normal.numpy(), first, last, fixed)
            if record is not None:
                weights[record] = scale[:, None] * w
                biases[record] = b
    return _finish(seed, B, weights, biases)


def train_batch(task: Task, seed_list: Sequence[int], device: torch.device) -> list[Trajectory]:
    """Train all seeds and lanes as one batch of tensors on ``device``; the same numbers as ``train`` to rounding.

    Raises
    ------
    ValueError
        From ``lumped.record_steps``.
    """
    steps = lumped.record_steps(task.alpha, task.dimension)
    dtype = devices.DTYPES[task.dtype]
    teachers = [teacher(task, seed) for seed in seed_list]
    start = [initial_weights(task, seed, B) for seed, B in zip(seed_list, teachers, strict=True)]
    B = torch.tensor(np.array(teachers), dtype=dtype, device=device)[:, None]  # (seeds, 1, N)
    w = torch.tensor(np.array(start), dtype=dtype, device=device)[:, None].repeat(1, task.axes.size, 1)
    w /= torch.linalg.vector_norm(w, dim=2, keepdim=True)
    b = torch.full(w.shape[:2], float(task.b0), dtype=torch.float64, device=device)
    fixed = torch.tensor(lumped.constants(task.axes, task.dimension), device=device)
    prior, half_rho, sd1, sd2, rate_w, rate_b, eps = fixed[:, None]  # each (1, lanes)
    weights = torch.empty(len(steps), *w.shape, dtype=dtype)
    biases = torch.empty(len(steps), *b.shape, dtype=torch.float64)
    streams = [blocks(task, seed, "training") for seed in seed_list]
    rows = training_rows(task.dimension)
    for moves, *drawn in zip(lumped.plan(steps, rows), *streams, strict=False):
        uniforms = torch.tensor(np.array([uniform for uniform, _ in drawn]), device=device)
        normals = torch.stack([normal for _, normal in drawn], dim=1).to(device)  # (rows, seeds, N)
        for first, last, record in moves:
            for row in range(first, last):
                z = normals[row].to(dtype)[:, None]
                up = uniforms[:, row, None] < prior
                tau = torch.where(up, 1.0, -1.0).double()
                sd = torch.where(up, sd1, sd2)
                h = tau * half_rho * (w * B).sum(2).double() + sd * (w * z).sum(2).double()
                x = h - tau * eps - b
                F = (torch.erf(x) - tau) * lumped.TWO_OVER_SQRT_PI * torch.exp(-x * x)
                c = rate_w * F
                w = (
                    (1 + c * tau * eps).to(dtype)[..., None] * w
                    - (c * tau * half_rho).to(dtype)[..., None] * B
                    - (c * sd).to(dtype)[..., None] * z
                )
                square = (w * w).sum(2, keepdim=True)
                w = w / torch.sqrt(square.where(square < math.inf, math.nan))
                b = b + rate_b * F
            if record is not None:
                weights[record] = w.cpu()
                biases[record] = b.cpu()
    return [_finish(seed, teachers[i], weights[:, i].numpy(), biases[:, i].numpy()) for i, seed in enumerate(seed_list)]


def _finish(seed: int, B: Array, weights: NDArray[Any], biases: Array) -> Trajectory:
    """Mark what diverged with NaN, and take the overlap in float64 whatever the weights are."""
    double = (w.astype(float) for w in weights)
    R = np.stack([np.sum(w * B, axis=1) / np.sqrt(np.sum(w * w, axis=1)) for w in double])
    lost = ~(np.isfinite(R) & np.isfinite(biases))
    return Trajectory(seed, B, weights, np.where(lost, np.nan, R), np.where(lost, np.nan, biases))


def trajectories(task: Task, seed_list: Sequence[int], device: torch.device) -> Iterator[Trajectory]:
    """Train every seed and give them one by one: with numba on the CPU, in batches of bounded memory elsewhere."""
    progress = logs.Progress(len(seed_list), "seeds")
    if device.type == "cpu":
        for i, seed in enumerate(seed_list):
            yield train(task, seed)
            progress(i + 1)
        return
    each = devices.DTYPES[task.dtype].itemsize * len(task.alpha) * task.axes.size * task.dimension
    group = max(1, BATCH_BYTES // (each + 4 * max(TRAINING_BLOCK, task.dimension)))
    for i in range(0, len(seed_list), group):
        yield from train_batch(task, seed_list[i : i + group], device)
        progress(min(i + group, len(seed_list)))


@dataclass(frozen=True)
class Measured:
    """Errors of one seed on its test set, as fractions; NaN where the state had diverged.

    Attributes
    ----------
    error, adversarial, adversarial_report
        Without attack, at eps_train and at eps_report; shape (alpha, lanes).
    robustness
        At each eps, at the last recorded time; shape (lanes, eps).
    h, y, label
        w.xi (lanes, examples) at the last recorded time, B.xi (lanes, examples) and tau (lanes, examples)
        of the first test examples.
    """

    error: Array
    adversarial: Array
    adversarial_report: Array
    robustness: Array
    h: Array
    y: Array
    label: NDArray[np.int8]


def measure(
    task: Task, path: Trajectory, eps: Sequence[float], eps_report: float, test_examples: int, plot_examples: int
) -> Measured:
    """Measure errors on ``test_examples`` fresh examples; all lanes and times share them (given their own prior and v).

    An example is misclassified under the worst attack of length eps when tau (w.xi - b) <= eps.
    """
    p = task.axes.values
    times, size = path.R.shape
    thresholds = np.asarray(eps, dtype=float)
    counts = np.zeros((3, times, size), dtype=np.int64)
    curve = np.zeros((size, len(thresholds)), dtype=np.int64)
    plot_examples = min(plot_examples, test_examples)
    h_kept, y_kept = np.empty((size, plot_examples)), np.empty((size, plot_examples))
    label = np.empty((size, plot_examples), dtype=np.int8)
    dtype = devices.DTYPES[task.dtype]
    weights = torch.from_numpy(np.ascontiguousarray(path.weights.transpose(1, 2, 0)))  # (lanes, N, alpha)
    B = torch.from_numpy(path.teacher.astype(task.dtype))
    done = 0
    for uniform, normal in blocks(task, path.seed, "evaluation"):
        rows = min(len(uniform), test_examples - done)
        z = normal[:rows].to(dtype)
        along_B = (z @ B).numpy().astype(float)
        keep = slice(done, min(done + rows, plot_examples))
        kept = max(0, keep.stop - done)
        for lane in range(size):  # one product for each lane: its shape, and so its rounding, is the same in any batch
            tau = np.where(uniform[:rows] < p["prior"][lane], 1.0, -1.0)
            sd = np.sqrt(np.where(tau > 0, p["v1"][lane], p["v2"][lane]))
            mean = tau * p["rho"][lane] / 2
            along_w = (z @ weights[lane]).numpy().astype(float)  # (rows, alpha)
            h = mean[:, None] * path.R[:, lane] + sd[:, None] * along_w
            margin = tau[:, None] * (h - path.b[:, lane])
            for i, threshold in enumerate((0.0, p["eps_train"][lane], eps_report)):
                counts[i, :, lane] += np.count_nonzero(margin <= threshold, axis=0)
            curve[lane] += np.searchsorted(np.sort(margin[:, -1]), thresholds, side="right")
            if kept > 0:
                h_kept[lane, keep] = h[:kept, -1]
                y_kept[lane, keep] = (mean + sd * along_B)[:kept]
                label[lane, keep] = tau[:kept]
        done += rows
        if done >= test_examples:
            break
    lost = np.isnan(path.R)
    fractions = np.where(lost, np.nan, counts / test_examples)
    robustness = np.where(lost[-1][:, None], np.nan, curve / test_examples)
    return Measured(fractions[0], fractions[1], fractions[2], robustness, h_kept, y_kept, label)
