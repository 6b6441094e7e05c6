"""What trained logistic regressions do under attack: exact errors at every eps, and their controls.

The test images only measure; the validation outputs are kept so that they can choose l2 (``grid.choose``).
"""

from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr
from scipy import stats

from advdyn import io, linear, seeds
from advdyn.data.load import Images
from advdyn.logistic import pair

LEVEL = 0.4  # the test error after the attack that the seed reports
ATTACKED = 51  # the attack is made on the images at no more than this many of the eps, evenly chosen
SEED = "seeds/004_6e47880f844f889c.txt"
PIXELS = "pixel range"


def fgsm_outputs(x: np.ndarray, tau: np.ndarray, weight: np.ndarray, bias: float, eps: np.ndarray) -> np.ndarray:
    """Outputs w.x' + b on x' = x + eps sign(grad_x loss), the gradient by autograd, (eps, n).

    The attack as it is made on images, with nothing assumed about the model; no clipping to the pixel range.
    Float64 throughout: at margins above about 700 the gradient of the loss underflows to 0, and the attack with it.
    """
    images = torch.as_tensor(x).requires_grad_(True)
    w = torch.as_tensor(weight)
    loss = torch.nn.functional.softplus(-torch.as_tensor(tau) * (images @ w + bias)).sum()
    (gradient,) = torch.autograd.grad(loss, images)
    sign, images = gradient.sign(), images.detach()
    return np.stack([((images + float(size) * sign) @ w + bias).numpy() for size in eps])


def level_crossing(margins: np.ndarray, slopes: np.ndarray, level: float) -> float:
    """Smallest eps at which the share of samples with margin + eps * slope <= 0 reaches ``level``; inf where none does.

    ``linear.eps_at_error`` is the case where all slopes are -dual_norm.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = -margins / slopes
    for eps in np.sort(np.append(crossing[np.isfinite(crossing) & (crossing > 0)], 0.0)):
        # a hair beyond the crossing, where rounding cannot undo it
        if np.mean(margins + eps * (1 + 1e-12) * slopes <= 0) >= level:
            return float(eps)
    return np.inf


def typical(x: np.ndarray, tau: np.ndarray, sign: float) -> int:
    """Number of the sample closest to the mean of its class (no model enters the choice)."""
    rows = np.flatnonzero(tau == sign)
    return int(rows[np.argmin(((x[rows] - x[rows].mean(0)) ** 2).sum(1))])


def run(
    trained: xr.Dataset, images: Images, *, positive: int, negative: int, eps: Sequence[float], root: int
) -> xr.Dataset:
    """Evaluate every trained model at every eps.

    Parameters
    ----------
    trained
        Dataset of ``training.run``; its lane axes (any of l2, eps_train, or none) are those of the result.
    images
        The dataset it was trained on: its training, validation and test images.
    positive, negative
        Classes with tau = +1 and tau = -1, as in training.
    eps
        Sizes of the evaluation attack (l_inf, in units of the pixel range); increasing.
    root
        Root of the random streams; the control's random signs are drawn from "evaluation".

    Returns
    -------
    Dataset over the lane axes, eps, sample and pixel. Errors count an output of exactly 0 as wrong. The output
    after an attack of size eps is output - tau eps weight_l1.

    Raises
    ------
    ValueError
        When a class is missing, eps is negative or not increasing, or the models do not fit the images.
    """
    sizes = np.asarray(eps, dtype=float)
    if sizes.size == 0 or (np.diff(sizes) <= 0).any():
        raise ValueError("eps must be a list of increasing values")
    lanes = tuple(str(d) for d in trained["bias"].dims)
    weight, bias = trained["weight"].values, trained["bias"].values
    if images.x_test.shape[1] != weight.shape[-1]:
        raise ValueError(f"the models have {weight.shape[-1]} weights, the images {images.x_test.shape[1]} pixels")
    l1 = np.abs(weight).sum(-1)
    x, tau = pair.of(images.x_test, images.y_test, positive, negative, "test")
    x_train, tau_train = pair.of(images.x_train, images.y_train, positive, negative, "training")
    x_valid, tau_valid = pair.of(images.x_validation, images.y_validation, positive, negative, "validation")
    output, output_train, output_valid = (weight @ part.T + bias[..., None] for part in (x, x_train, x_valid))
    margin = output * tau
    n = len(tau)

    test_error = linear.error_curve(margin, l1, sizes)
    at_level = linear.eps_at_error(margin, l1, LEVEL)
    # distribution-free 95 % interval of a quantile: order statistics at binomial ranks
    distance = np.sort(linear.smallest_eps(margin, l1), axis=-1)
    low = max(int(stats.binom.ppf(0.025, n, LEVEL)), 1)
    high = min(int(stats.binom.ppf(0.975, n, LEVEL)) + 1, n)

    # control: signs drawn at random, the same for every model, which pairs the comparison
    signs = seeds.generator(root, "logistic", 0, "evaluation").choice(np.array([-1.0, 1.0]), size=x.shape)
    slope = (weight @ signs.T) * tau
    random_error = np.stack([(margin + size * slope <= 0).mean(-1) for size in sizes], -1)
    reach = np.where(np.isfinite(at_level), at_level, 0.0)[..., None]
    random_at_level = np.where(np.isfinite(at_level), (margin + reach * slope <= 0).mean(-1), np.nan)
    random_level = np.empty(l1.shape)

    attacked = sizes[:: -(-len(sizes) // ATTACKED)]
    fgsm_error, fgsm_gap = np.empty((*l1.shape, len(attacked))), np.empty((*l1.shape, len(attacked)))
    for lane in np.ndindex(l1.shape):
        random_level[lane] = level_crossing(margin[lane], slope[lane], LEVEL)
        outputs = fgsm_outputs(x, tau, weight[lane], float(bias[lane]), attacked)
        fgsm_error[lane] = (tau * outputs <= 0).mean(-1)
        shift = tau * (output[lane] - outputs)
        fgsm_gap[lane] = np.abs(shift - (attacked * l1[lane])[:, None]).max(-1)

    examples = [typical(x, tau, sign) for sign in (1.0, -1.0)]
    curve, made, each = (*lanes, "eps"), (*lanes, "eps_attacked"), (*lanes, "sample")

    def over(dims: Sequence[str], values: np.ndarray, name: str, units: str = "1") -> xr.Variable:
        return io.variable(dims, values, name, units, SEED)

    data = {
        "test_error": over(curve, test_error, "test error under the worst attack of size eps"),
        "test_error_se": over(
            curve, np.sqrt(test_error * (1 - test_error) / n), "binomial standard error of test_error"
        ),
        "train_error": over(
            curve, linear.error_curve(output_train * tau_train, l1, sizes), "training error under the worst attack"
        ),
        "validation_error": over(
            curve, linear.error_curve(output_valid * tau_valid, l1, sizes), "validation error under the worst attack"
        ),
        "random_sign_error": over(curve, random_error, "test error under random signs of size eps (control)"),
        "fgsm_error": over(made, fgsm_error, "test error under FGSM, gradient by autograd"),
        "fgsm_gap": over(made, fgsm_gap, "largest |shift of the margin by FGSM - eps |w|_1|"),
        "eps_at_40": over(lanes, at_level, "smallest eps with a test error of 40 %", PIXELS),
        "eps_at_40_low": over(lanes, distance[..., low - 1], "lower end of the 95 % interval of eps_at_40", PIXELS),
        "eps_at_40_high": over(lanes, distance[..., high - 1], "upper end of the 95 % interval of eps_at_40", PIXELS),
        "random_sign_error_at_40": over(lanes, random_at_level, "error under random signs of size eps_at_40 (control)"),
        "random_sign_eps_at_40": over(
            lanes, random_level, "eps at which random signs give 40 % error (control)", PIXELS
        ),
        "random_sign_slope": over(
            each, slope, "change of the margin per eps under random signs (control)", "1/pixel range"
        ),
        "weight": over((*lanes, "pixel"), weight, "weight w", "1/pixel range"),
        "bias": over(lanes, bias, "bias b"),
        "weight_l1": over(lanes, l1, "|w|_1", "1/pixel range"),
        "weight_l2": over(lanes, np.sqrt((weight**2).sum(-1)), "|w|_2", "1/pixel range"),
        "weight_density": over(lanes, (weight != 0).mean(-1), "share of weights that are not 0"),
        "converged": over(lanes, trained["converged"].values, "whether training reached its tolerance"),
        "kkt_residual": over(lanes, trained["kkt_residual"].values, "KKT residual of training"),
        "output": over(each, output, "output w.x + b on unperturbed test images"),
        "tau": over(("sample",), tau, "label"),
        "validation_output": over((*lanes, "validation_sample"), output_valid, "output on validation images"),
        "validation_tau": over(("validation_sample",), tau_valid, "label of validation images"),
        "example": over(("side",), np.array(examples), "test sample closest to the mean of its class"),
        "example_image": over(("side", "pixel"), x[examples], "image of the example", PIXELS),
        "image_shape": over(("edge",), np.array(images.shape), "height and width of an image", "pixel"),
        "n_train": over((), np.array(len(tau_train)), "training images"),
        "n_test": over((), np.array(n), "test images"),
    }
    coords = {str(name): trained[name].variable for name in trained.coords} | {
        "eps": io.variable(("eps",), sizes, "evaluation attack (l_inf)", PIXELS),
        "eps_attacked": io.variable(
            ("eps_attacked",), attacked, "sizes of the attacks made on the images (l_inf)", PIXELS
        ),
        "side": io.variable(("side",), np.array([positive, negative]), "class of tau = +1, then of tau = -1"),
    }
    made_with = {name: trained.attrs[name] for name in ("device", "dtype") if name in trained.attrs}
    return xr.Dataset(data, coords=coords, attrs=made_with)
