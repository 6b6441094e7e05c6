"""Gram matrices of a two-layer network: how fast the outputs move for a residual, dz/dt = -H xi.

The theorems need the smallest eigenvalue of the Gram matrix of the hidden layer at infinite width; runs are judged by
that of their own matrix, at their own width and time.

References
----------
L. Rout, Towards a pseudo-reaction-diffusion model for Turing instability in adversarial learning: Assumption 1.
S. S. Du, X. Zhai, B. Poczos, A. Singh, Gradient descent provably optimizes over-parameterized neural networks, 2019.
Y. Cho, L. K. Saul, Kernel methods for deep learning, 2009: the arc-cosine kernel of order 0.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import linalg
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from advdyn.turing import inputs

Floats = npt.NDArray[np.floating[Any]]

# Largest matrix that is decomposed as a whole. Measured on one core, in seconds (whole | Lanczos): n = 1000, MNIST
# 0.05 | 0.04, Gaussian inputs 0.05 | 0.36; n = 2000, 0.41 | 0.23 and 0.45 | 2.9; n = 3500, MNIST 3.5 | 1.1.
WHOLE = 2048
PARALLEL = 1e-12  # of a cosine: inputs closer than 1e-6 are one input
SHIFT = 1e-12  # of the largest eigenvalue and per row: below what rounding can make of an eigenvalue that is 0
TOLERANCE = 1e-10


def infinity(x: Floats) -> npt.NDArray[np.float64]:
    """Gram matrix of the hidden layer at infinite width, for relu and inputs of length 1.

    H^inf_pq = E[x_p.x_q 1{u.x_p >= 0, u.x_q >= 0}] over u ~ N(0, I), that is x_p.x_q (pi - arccos(x_p.x_q))/(2 pi).
    A neuron is active or not whatever the length of u, so that the scale of the initial weights does not enter.

    Parameters
    ----------
    x : shape (n, d)
        Inputs of length 1.

    Returns
    -------
    float64, shape (n, n)
        Symmetric, positive semi-definite, with the diagonal 1/2.

    Raises
    ------
    InputError
        When an input has another length than 1.
    """
    inputs.check_unit(x)
    x = np.asarray(x, dtype=float)
    cosine = np.clip(x @ x.T, -1, 1)
    # arccos is infinitely steep at 1: a diagonal that rounds to 1 - 1e-16 would be off by 1e-8
    np.fill_diagonal(cosine, 1.0)
    cosine = (cosine + cosine.T) / 2
    cosine = np.where(np.abs(cosine) > 1 - PARALLEL, np.sign(cosine), cosine)  # of inputs that are the same
    return cosine * (np.pi - np.arccos(cosine)) / (2 * np.pi)


def empirical(k: Any, slope: Any, slope2: Any = None) -> Any:
    """Gram matrix of the theory net at its own width, H_pq = x_p.x_q (1/m) sum_j sigma'(u_j.x_p) sigma'(u_j.x_q).

    The signs v_j = +-1 of the second layer drop out. For relu sigma' is 1 for an active neuron and 0 otherwise.

    Parameters
    ----------
    k : shape (..., n, n)
        Inner products of the inputs, X X^T.
    slope : shape (..., m, n)
        sigma'(u_j.x_p) of every neuron and input, or whether it is active; an array of numpy or torch, like ``k``.
    slope2
        Slopes at another time for the second factor: H_pq = x_p.x_q (1/m) sum_j slope_jp slope2_jq.

    Returns
    -------
    The same kind of array, shape (..., n, n), in the precision of ``k``.
    """
    first = _like(slope, k)
    second = first if slope2 is None else _like(slope2, k)
    return k * (first.swapaxes(-1, -2) @ second) / slope.shape[-2]


def _like(a: Any, k: Any) -> Any:
    """The array in the dtype of k, numpy's or torch's."""
    return a.astype(k.dtype, copy=False) if isinstance(a, np.ndarray) else a.to(k.dtype)


def block_kernel(x: Floats, u: Floats, v: Floats, activation: str, top: bool = True) -> npt.NDArray[np.float64]:
    """Gram matrix of the network with d_out outputs, dz/dt = -H xi with z and xi as vectors over (input, output).

    H_(pa)(qb) = (1/(d_out m)) [x_p.x_q sum_j V_aj V_bj sigma'_jp sigma'_jq + 1{a = b} sum_j sigma_jp sigma_jq], the
    second term for a second layer that is trained.

    Parameters
    ----------
    x : shape (n, d)
        Inputs.
    u : shape (..., m, d)
        First layer.
    v : shape (..., d_out, m)
        Second layer.
    activation
        Name of the activation.
    top
        Whether the second layer is trained.

    Returns
    -------
    float64, shape (..., n d_out, n d_out)
        Rows and columns in the order of z.reshape(n d_out): input by input.
    """
    import torch  # here alone: the bounds, which use this module too, do without its seconds of import

    from advdyn.turing.network import Activation

    x, u, v = (np.asarray(a, dtype=float) for a in (x, u, v))
    n, (d_out, m) = len(x), v.shape[-2:]
    p = torch.from_numpy(u @ x.T)
    value, slope = (f(p).numpy() for f in (Activation(activation).value, Activation(activation).slope))
    # rows of the Jacobian without x: V_aj sigma'(u_j.x_p), shape (..., n, d_out, m)
    rows = np.swapaxes(slope, -1, -2)[..., :, None, :] * v[..., None, :, :]
    rows = rows.reshape(*rows.shape[:-3], n * d_out, m)
    h = rows @ np.swapaxes(rows, -1, -2) * np.kron(x @ x.T, np.ones((d_out, d_out)))
    if top:
        gram = np.swapaxes(value, -1, -2) @ value
        h = h + (gram[..., :, None, :, None] * np.eye(d_out)[:, None, :]).reshape(h.shape)
    return h / (d_out * m)


def extreme_eigenvalues(h: Floats) -> tuple[float, float]:
    """Smallest and largest eigenvalue of a symmetric positive semi-definite matrix.

    Up to ``WHOLE`` rows by a full decomposition, beyond by Lanczos' method: of H for the largest, of (H + shift)^-1 for
    the smallest. Both agree to 1e-8 of the largest eigenvalue.

    Parameters
    ----------
    h : shape (n, n)
        The matrix; only one of its triangles may be read.

    Returns
    -------
    tuple of float
        (smallest, largest); NaN when the matrix is not finite.
    """
    h = np.asarray(h, dtype=float)
    if not np.all(np.isfinite(h)):
        return np.nan, np.nan
    if len(h) > WHOLE:
        try:
            return _lanczos(h)
        except (ArpackNoConvergence, linalg.LinAlgError):  # indefinite by rounding, or eigenvalues in a cluster
            pass
    values = linalg.eigvalsh(h, check_finite=False)
    return float(values[0]), float(values[-1])


def _lanczos(h: Floats) -> tuple[float, float]:
    n = len(h)
    # ARPACK's own start, and its own numbers on a restart, would differ from call to call
    start = np.random.Generator(np.random.SFC64(0)).standard_normal(n)
    given: dict[str, Any] = {"which": "LA", "v0": start, "return_eigenvectors": False}
    most = eigsh(h, 1, rng=np.random.default_rng(0), **given)[0]
    shift = SHIFT * n * most
    factor = linalg.cho_factor(h + shift * np.eye(n), lower=True, check_finite=False)
    inverse = LinearOperator((n, n), lambda y: linalg.cho_solve(factor, y, check_finite=False), dtype=float)
    least = 1 / eigsh(inverse, 1, tol=TOLERANCE, rng=np.random.default_rng(0), **given)[0] - shift
    return float(least), float(most)
