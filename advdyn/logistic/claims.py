"""Claims about logistic regression on MNIST 3 versus 7, declared before it runs."""

import math

import numpy as np
import xarray as xr

from advdyn import seeds
from advdyn.claims import Claim, Measurement
from advdyn.logistic import grid

STRAAT = "Straat, Modelling adversarial training (seeds/004_6e47880f844f889c.txt)"
EXPERIMENT = f"{STRAAT}, Experiment Logistic Regression MNIST"
RESAMPLES = 10_000
QUARTER = 0.25  # of the pixel range: beyond it a perturbation is no longer small
ROUNDING = 1e-10
POINT = 0.01  # one percentage point
DIFFERING = 20  # images on which two models must differ before their difference is judged


def forty_percent(study: xr.Dataset) -> dict[str, Measurement] | None:
    """The eps at which standard training reaches 40 % test error, for each l2; control: random signs."""
    study = grid.regular(study)
    if 0.0 not in study["eps_train"].values:
        return None
    rows = {}
    for l2 in study["l2"].values:
        model = study.sel(l2=l2, eps_train=0.0)
        if not bool(model["converged"]):
            continue
        low, high = float(model["eps_at_40_low"]), float(model["eps_at_40_high"])
        clean = float(model["test_error"].sel(eps=0.0, method="nearest"))
        rows[f"l2={l2:g}"] = Measurement(
            float(model["eps_at_40"]),
            int(study["n_test"]),
            float(model["random_sign_eps_at_40"]),
            uncertainty=(high - low) / (2 * 1.96),
            low=low,
            high=high,
            conditions=f"standard training, {int(study['n_train'])} images; |w|_1 {float(model['weight_l1']):.4g}; "
            f"error without attack {clean:.4g}; "
            f"random signs of this size give {float(model['random_sign_error_at_40']):.4g}",
            depends="the source names neither the regularisation nor eps: 40 % is reached at this eps for this l2",
        )
    return rows or None


def monotone(study: xr.Dataset) -> Measurement | None:
    """Smallest increment of the error under FGSM over eps; control: curves with a stretch run backwards."""
    study = grid.regular(study)
    curves = study["fgsm_error"].values[study["converged"].values]
    if curves.size == 0 or curves.shape[-1] < 4:
        return None
    quarter = curves.shape[-1] // 4
    planted = curves.copy()
    planted[:, quarter:-quarter] = planted[:, quarter:-quarter][:, ::-1]
    return Measurement(
        float(np.diff(curves).min()),
        int(study["n_test"]),
        float(np.diff(planted).min()),
        conditions=f"{len(curves)} models, {curves.shape[-1]} sizes; attack made on the images, gradient by autograd",
    )


def _paired(study: xr.Dataset, eps_train: float, eps: float) -> Measurement | None:
    """Error of adversarial minus standard training at an attack of size eps, on the same test images.

    Each training has the l2 that the validation images choose at that eps. The interval is a paired
    bootstrap over the test images. Control: the two models exchanged at random, image by image. As in
    McNemar's test, the sample size is the number of images on which the two models differ.
    """
    models = [(grid.choose(study, e, eps), e) for e in (0.0, eps_train)]
    if any(math.isnan(l2) for l2, _ in models):
        return None
    wrong = []
    for l2, e in models:
        model = study.sel(l2=l2, eps_train=e)
        margin = model["output"].values * study["tau"].values
        wrong.append((margin <= eps * float(model["weight_l1"])).astype(float))
    difference = wrong[1] - wrong[0]
    n = len(difference)
    rng = seeds.generator(0, "logistic", 1, "evaluation")
    shares = np.array([(difference == step).mean() for step in (-1, 0, 1)])
    low, high = np.quantile(rng.multinomial(n, shares, RESAMPLES) @ np.array([-1, 0, 1]) / n, [0.025, 0.975])
    discordant = int(np.abs(difference).sum())
    exchanged = (2 * rng.binomial(discordant, 0.5, RESAMPLES) - discordant) / n
    return Measurement(
        float(difference.mean()),
        discordant,
        float(exchanged.mean()),
        float(difference.std() / math.sqrt(n)),
        float(low),
        float(high),
        conditions=f"attack {eps:g}; adversarial (l2 {models[1][0]:g}) {wrong[1].mean():.4g}, "
        f"standard (l2 {models[0][0]:g}) {wrong[0].mean():.4g}, of {n} images; l2 chosen on validation images",
    )


def _each(study: xr.Dataset, attacked: bool) -> dict[str, Measurement] | None:
    study = grid.regular(study)
    attacks = [float(e) for e in study["eps_train"].values if e > 0]
    if 0.0 not in study["eps_train"].values or not attacks:
        return None
    rows = {f"eps_train={e:g}": _paired(study, e, e if attacked else 0.0) for e in attacks}
    return {name: row for name, row in rows.items() if row is not None} or None


def protects(study: xr.Dataset) -> dict[str, Measurement] | None:
    """Adversarial minus standard training, error under attack at eps_train."""
    return _each(study, attacked=True)


def clean(study: xr.Dataset) -> dict[str, Measurement] | None:
    """Adversarial minus standard training, error without attack."""
    return _each(study, attacked=False)


def fgsm_is_worst(study: xr.Dataset) -> Measurement | None:
    """Largest |shift of the margin by FGSM - eps |w|_1|; control: a random sign pattern instead."""
    study = grid.regular(study).sortby("eps_attacked")
    use = study["converged"].values
    if not use.any():
        return None
    size = float(study["eps_attacked"].values[-1])
    # a perturbation by random signs lowers the margin by -eps * slope; the worst case by eps * |w|_1
    missed = size * np.abs(study["random_sign_slope"].values + study["weight_l1"].values[..., None])[use]
    return Measurement(
        float(study["fgsm_gap"].values[use].max()),
        int(study["n_test"]),
        float(missed.max()),
        conditions=f"{int(use.sum())} models, {study.sizes['eps_attacked']} sizes up to {size:g}, float64, no clipping",
    )


def _lower(value: float, _low: float, high: float) -> bool:
    return value <= -POINT and high < 0


PAIRED = (
    "paired bootstrap over test images; n counts the images on which the models differ; "
    "control: the models exchanged at random image by image"
)
IMAGENET = (
    "a figure of one image classified by a ResNet50 trained on ImageNet; "
    "neither the images nor the trained network is here, and no other data can stand in for its confidences"
)

CLAIMS = (
    Claim(
        name="forty_percent",
        source=EXPERIMENT,
        statement="Applying the adversarial perturbation to all test samples: 40 % test error",
        expected="reached at an eps (upper end of its 95 % interval) of at most 0.25 of the pixel range; "
        "random signs need more",
        minimum=100,
        measure=forty_percent,
        holds=lambda _value, _low, high: high <= QUARTER,
        conditions="measured: smallest eps with 40 % test error; its interval from order statistics",
        figure="logistic/figures/outputs.pdf",
    ),
    Claim(
        name="monotone",
        source=f"{STRAAT}, Assessing robustness of the model",
        statement="By varying eps one obtains a monotonically increasing adversarial loss curve",
        expected="smallest increment of the test error over eps >= 0 (non-decreasing)",
        minimum=100,
        measure=monotone,
        holds=lambda value, _low, _high: value >= 0,
        conditions="control: the middle half of each curve run backwards",
        figure="logistic/figures/errors.pdf",
    ),
    Claim(
        name="protects",
        source=f"{STRAAT}, Adversarial training",
        statement="Adversarial training (the min-max problem) lowers the error under the attack it trains against",
        expected="error at eps_train, adversarial minus standard training, <= -0.01 with its 95 % interval below 0",
        minimum=DIFFERING,
        measure=protects,
        holds=_lower,
        conditions=PAIRED,
        figure="logistic/figures/errors.pdf",
    ),
    Claim(
        name="clean_error",
        source="Srihari, Adversarial Training (seeds/001_482d2436b09b285b.txt), Uses of adversarial training",
        statement="Using adversarially perturbed samples we can reduce the error rate on the test set",
        expected="error without attack, adversarial minus standard training, <= -0.01 with its 95 % interval below 0",
        minimum=DIFFERING,
        measure=clean,
        holds=_lower,
        conditions=f"linear model; {PAIRED}",
        figure="logistic/figures/errors.pdf",
    ),
    Claim(
        name="fgsm_is_worst",
        source=f"{STRAAT}, Computing adversarial perturbations",
        statement="The Fast Gradient Sign Method maximises the loss in the ball; "
        "for a linear classifier it lowers every margin by eps |w|_1",
        expected="largest |shift - eps |w|_1| over test images, models and eps <= 1e-10",
        minimum=100,
        measure=fgsm_is_worst,
        holds=lambda value, _low, _high: value <= ROUNDING,
        conditions="control: random signs of the largest size",
        figure="logistic/figures/example.pdf",
    ),
    *(
        Claim(
            name=name,
            source=f"{STRAAT}, {place}",
            statement=statement,
            expected="",
            untestable=IMAGENET,
        )
        for name, place, statement in (
            (
                "kit_fox",
                "Adversarial examples",
                "ResNet50: kit fox at 76.0 % becomes coyote at 99.8 %, kit fox at 2.7e-6 %",
            ),
            (
                "whisky_jug",
                "Targeted attack",
                "ResNet50: kit fox at 76.0 % becomes whisky jug at 100.0 % by a perturbation within 2/255",
            ),
        )
    ),
)
