"""What trained networks do under attack: error, confidence, bounds, masked gradients, linearity, distances.

Every measurement of a run depends on the run, the first ``n_test`` images and (root, seed) only: attacks are made
run by run, and random starts are drawn for each (seed, attack), so that runs of one seed share them (a paired
comparison) and nothing else in the job changes a number. The test images only measure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from advdyn import devices, io
from advdyn.attacks import engine
from advdyn.attacks.attack import Attack
from advdyn.attacks.classifier import Classifier
from advdyn.attacks.fooling import fooling
from advdyn.attacks.masking import best_bound, masking
from advdyn.attacks.minimum import minimum_eps
from advdyn.attacks.worst import worst_case
from advdyn.data.load import Images
from advdyn.errors import InputError
from advdyn.logs import Progress, log
from advdyn.robustness import measures
from advdyn.robustness.measures import PIXELS, REFERENCE, UNIT

NORMS = ("linf", "l2")
WHERE = ("train", "test", "far")
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
TRAIN_IMAGES = 2000  # at most so many training images are looked at
LINEAR = 0.1  # a margin counts as linear while its fall is within this share of eps |g|_1
TANGENT = 0.2  # an image counts as linear while its margin's fall is within this share of its tangent's
NOT_MEASURED = -1
MASKING = "Athalye, Carlini and Wagner, arXiv:1802.00420"

# name: dims after (lanes, seed), long name, units, reference
VARIABLES: dict[str, tuple[tuple[str, ...], str, str, str]] = {
    "error": (("attack", "eps", "clip"), "test error under the attack", "1", REFERENCE),
    "confidence": (
        ("attack", "eps", "clip"),
        "mean probability of the predicted class over the images that are wrong under the attack",
        "1",
        REFERENCE,
    ),
    "target_rate": (("attack", "eps", "clip"), "share of images that a targeted attack turns into its target", "1", ""),
    "bound": (
        ("norm", "eps", "clip"),
        "best lower bound of the adversarial error: share of images wrong under any attack of the norm at any size "
        "up to eps",
        "1",
        "",
    ),
    "worst_case": (
        ("norm", "eps", "clip"),
        "exact adversarial error of a linear model (NaN for others, and for l_2 with clipping)",
        "1",
        REFERENCE,
    ),
    "masking": (
        ("clip",),
        "masked gradients, sum of 1 (single step weaker than iterated at one eps), 2 (single-step error falls with "
        "eps), 4 (iterated attack of at most half the eps beats the single step); -1: not measured",
        "1",
        MASKING,
    ),
    "masking_gap": (("clip",), "largest excess of the iterated over the single-step error at one eps", "1", MASKING),
    "masking_drop": (
        ("clip",), "largest fall of the single-step error below its running maximum over eps", "1", MASKING
    ),
    "clean_error": ((), "test error without attack, all test images", "1", ""),
    "train_error": ((), f"error without attack on the training images (the first {TRAIN_IMAGES} at most)", "1", ""),
    "gradient_l1": (("where",), "mean |g|_1 of the margin's input gradient g", "1/pixel range", REFERENCE),
    "gradient_l2": (("where",), "mean |g|_2 of the margin's input gradient g", "1/pixel range", REFERENCE),
    "linearity": (
        ("eps",),
        "mean of the margin's fall under x - eps sign(g) over eps |g|_1, correctly classified test images, no box",
        "1",
        REFERENCE,
    ),
    "linear_share": (
        ("eps",),
        f"share of these images whose margin falls within {100 * TANGENT:g} % of its tangent",
        "1",
        REFERENCE,
    ),
    "linear_range": (
        (), f"largest eps of the list up to which |linearity - 1| stays within {LINEAR}", PIXELS, REFERENCE
    ),
    "margin_shift": (("eps",), "mean fall of the margin under x - eps sign(g), no box", "1", REFERENCE),
    "minimum_eps": (
        ("norm", "quantile"),
        "quantile over test images of the smallest eps at which the iterated attack succeeds (0: wrong without "
        "attack, inf: above the largest eps of the list)",
        PIXELS,
        "",
    ),
    "fooling_share": ((), "share of noise images that ascent turns into a confident image of a class", "1", ""),
    "fooling_start_share": ((), "share of the noise images that are that confident before any step", "1", ""),
    "fooling_steps": ((), "median number of steps to the confidence asked for, of the images that reach it", "1", ""),
    "fooling_confidence": ((), "mean probability of the class ascended to, at the end", "1", ""),
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What is measured on every run.

    Attributes
    ----------
    attacks
        By name, in the order of the table.
    eps
        For each norm its sizes, increasing.
    sizes
        The union of them, increasing: the coordinate eps.
    clip
        Whether attacked images are clipped to [0, 1].
    """

    attacks: Mapping[str, Attack]
    eps: Mapping[str, tuple[float, ...]]
    sizes: tuple[float, ...]
    clip: tuple[bool, ...]
    linearity_images: int
    minimum_images: int
    fooling_starts: int
    root: int

    def columns(self, norm: str) -> list[int]:
        """Where the sizes of a norm stand in ``sizes``."""
        return [self.sizes.index(size) for size in self.eps[norm]]

    def of_norm(self, norm: str) -> dict[str, Attack]:
        """The attacks of a norm."""
        return {name: attack for name, attack in self.attacks.items() if attack.norm == norm}

    def iterated(self, norm: str) -> Attack | None:
        """The untargeted attack of a norm with the most steps, of equals the one with the smallest; true labels."""
        members = self.of_norm(norm).values()
        known = [a for a in members if a.steps > 1 and a.label == "true" and not a.targeted]
        return max(known, key=lambda a: (a.steps * a.restarts, -a.step), default=None)

    def single(self) -> Attack | None:
        """The first untargeted single l_inf step from the image itself, with true labels: FGSM."""
        for attack in self.of_norm("linf").values():
            known = attack.initialisation == "image" and attack.label == "true"
            if attack.steps == 1 and known and not attack.targeted:
                return attack
        return None

    def name_of(self, attack: Attack | None) -> str:
        """Name of an attack of the table; empty where there is none."""
        return next((name for name, other in self.attacks.items() if other is attack), "")


def sizes_of(name: str, values: Sequence[float]) -> tuple[float, ...]:
    """A list of attack sizes, checked and increasing.

    Raises
    ------
    InputError
        When a size is negative, not a finite number, or there twice.
    """
    sizes = tuple(float(v) for v in values)
    if not all(0 <= v < np.inf for v in sizes) or len(set(sizes)) < len(sizes):
        raise InputError(f"{name}: found {list(values)}, allowed: different finite values of at least 0")
    return tuple(sorted(sizes))


def plan_of(
    *,
    attacks: Mapping[str, Mapping[str, Any]],
    eps_linf: Sequence[float],
    eps_l2: Sequence[float],
    clip: Sequence[bool],
    linearity_images: int = 0,
    minimum_images: int = 0,
    fooling_starts: int = 0,
    root: int = 0,
) -> Plan:
    """A checked plan from the settings of a study.

    Raises
    ------
    InputError
        When an attack, a size or ``clip`` is none.
    """
    table = {name: Attack.from_settings(name, settings) for name, settings in attacks.items()}
    eps = {"linf": sizes_of("eps_linf", eps_linf), "l2": sizes_of("eps_l2", eps_l2)}
    if len(set(clip)) < len(clip) or not clip:
        raise InputError(f"clip: found {list(clip)}, allowed: true, false or both, each once")
    sizes = tuple(sorted(set(eps["linf"]) | set(eps["l2"])))
    return Plan(table, eps, sizes, tuple(clip), linearity_images, minimum_images, fooling_starts, root)


@dataclass(frozen=True)
class Looked:
    """The images that runs are measured on, as tensors (n, pixel) and (n,): those attacked, and all of a split."""

    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor
    x_train: Tensor
    y_train: Tensor


def curves(
    classifier: Classifier, x: Tensor, y: Tensor, name: str, plan: Plan, box: engine.Box, seed: int
) -> tuple[engine.Curve, Tensor | None]:
    """One attack of the table over all sizes above 0 of its norm, and its targets: one draw for all attacks."""
    attack, target = plan.attacks[name], None
    if attack.targeted:
        target = engine.targets(y, classifier.classes, measures.generator(plan.root, seed, "evaluation", "targets"))
    eps = [size for size in plan.eps[attack.norm] if size > 0]
    draw = measures.generator(plan.root, seed, "attack", name)
    return engine.sweep(classifier, x, y, attack, eps, box=box, target=target, generator=draw), target


def measure_attacks(
    classifier: Classifier, looked: Looked, plan: Plan, seed: int, iterated: bool, out: dict[str, np.ndarray]
) -> None:
    """Error, confidence, target rate, bound and masking of one run, written into ``out``."""
    x, y = looked.x, looked.y
    logits = measures.logits(classifier, x)
    predicted = logits.argmax(1)
    clean_wrong = predicted != y
    clean_confidence = torch.softmax(logits, 1).gather(1, predicted[:, None])[:, 0]
    for c, clip in enumerate(plan.clip):
        wrong: dict[str, np.ndarray] = {}
        for a, (name, attack) in enumerate(plan.attacks.items()):
            if attack.steps > 1 and not iterated:
                continue
            curve, target = curves(classifier, x, y, name, plan, UNIT if clip else None, seed)
            lost, guess, confidence = curve.wrong, curve.predicted, curve.confidence
            if 0.0 in plan.eps[attack.norm]:  # without attack: measured once for all attacks
                lost = torch.cat([clean_wrong[None], lost])
                guess = torch.cat([predicted[None], guess])
                confidence = torch.cat([clean_confidence[None], confidence])
            columns = plan.columns(attack.norm)
            count = lost.sum(1)
            out["error"][a, columns, c] = (count / len(y)).cpu().numpy()
            mean = (confidence.double() * lost).sum(1) / count  # 0/0, NaN, where no image is wrong
            out["confidence"][a, columns, c] = mean.cpu().numpy()
            if target is not None:
                out["target_rate"][a, columns, c] = (guess == target).double().mean(1).cpu().numpy()
            wrong[name] = lost.cpu().numpy()
        for b, norm in enumerate(NORMS):
            members, eps = plan.of_norm(norm), plan.eps[norm]
            # a bound from fewer attacks than the table has would not compare with the others
            if not members or not eps or any(name not in wrong for name in members):
                continue
            start = np.broadcast_to(clean_wrong.cpu().numpy(), (len(members), 1, len(y)))
            stack = np.concatenate([start, np.stack([wrong[name] for name in members])], axis=1)
            lost_any = best_bound(stack, (0.0, *eps))[1:]
            out["bound"][b, plan.columns(norm), c] = lost_any.mean(1)
        for b, norm in enumerate(NORMS):
            lost_at_worst = worst_case(classifier, x, y, plan.eps[norm], norm=norm, box=UNIT if clip else None)
            if lost_at_worst is not None:
                out["worst_case"][b, plan.columns(norm), c] = lost_at_worst.double().mean(1).cpu().numpy()
        single, many = plan.name_of(plan.single()), plan.name_of(plan.iterated("linf"))
        if single in wrong and many in wrong and any(size > 0 for size in plan.eps["linf"]):
            found = masking(plan.eps["linf"], wrong[single], wrong[many])
            out["masking"][c] = found.flag
            out["masking_gap"][c], out["masking_drop"][c] = found.gap, found.drop


def measure_gradients(
    classifier: Classifier, looked: Looked, plan: Plan, seed: int, out: dict[str, np.ndarray]
) -> None:
    """Errors without attack, and norms of the margin's input gradient on training, test and far images."""
    x, y = looked.x, looked.y
    out["clean_error"][()] = float(
        (measures.logits(classifier, looked.x_test).argmax(1) != looked.y_test).double().mean()
    )
    out["train_error"][()] = float(
        (measures.logits(classifier, looked.x_train).argmax(1) != looked.y_train).double().mean()
    )
    draw = measures.generator(plan.root, seed, "evaluation", "far")
    far = torch.rand(x.shape, generator=draw, dtype=torch.float64).to(x)
    some = slice(len(y))  # as many training and far images as test images
    places = (
        (looked.x_train[some], looked.y_train[some]),
        (x, y),
        (far, measures.logits(classifier, far).argmax(1)),
    )
    for k, (image, label) in enumerate(places):
        gradient = measures.margin_gradient(classifier, image, label)
        out["gradient_l1"][k] = float(gradient.abs().sum(1).double().mean())
        out["gradient_l2"][k] = float(gradient.norm(dim=1).double().mean())


def measure_linearity(classifier: Classifier, looked: Looked, plan: Plan, out: dict[str, np.ndarray]) -> None:
    """How linear margins are along their steepest direction, and how far."""
    right = measures.logits(classifier, looked.x).argmax(1) == looked.y
    chosen = right.nonzero()[: plan.linearity_images, 0]
    eps = plan.eps["linf"]
    if len(chosen) == 0 or not eps:
        return
    fall, norm = measures.margin_fall(classifier, looked.x[chosen], looked.y[chosen], eps)
    moved = norm > 0  # a network without a gradient has no direction to be linear in
    columns = plan.columns("linf")
    out["margin_shift"][columns] = fall.double().mean(1).cpu().numpy()
    size = torch.tensor(eps, dtype=torch.float64, device=fall.device)[:, None]
    # 0/0, NaN, at eps = 0; the mean over no image is NaN too
    ratio = fall[:, moved].double() / (size * norm[moved].double())
    linearity = ratio.mean(1).cpu().numpy()
    out["linearity"][columns] = linearity
    share = torch.where(ratio.isnan(), torch.nan, ((ratio - 1).abs() <= TANGENT).double())
    out["linear_share"][columns] = share.mean(1).cpu().numpy()
    positive = np.asarray(eps) > 0
    if moved.any() and positive.any():
        kept = np.logical_and.accumulate(np.abs(linearity[positive] - 1) <= LINEAR)
        out["linear_range"][()] = max(np.asarray(eps)[positive][kept], default=0.0)


def measure_distances(
    classifier: Classifier, looked: Looked, plan: Plan, seed: int, out: dict[str, np.ndarray]
) -> None:
    """Quantiles of the smallest eps that succeeds."""
    x, y = looked.x[: plan.minimum_images], looked.y[: plan.minimum_images]
    box = UNIT if True in plan.clip else None
    for b, norm in enumerate(NORMS):
        attack, largest = plan.iterated(norm), max(plan.eps[norm], default=0.0)
        if attack is None or largest <= 0:
            continue
        draw = measures.generator(plan.root, seed, "attack", f"minimum {norm}")
        found = minimum_eps(classifier, x, y, attack, largest, box=box, generator=draw)
        out["minimum_eps"][b] = measures.quantiles(found.double().cpu().numpy(), QUANTILES)


def measure_fooling(classifier: Classifier, looked: Looked, plan: Plan, seed: int, out: dict[str, np.ndarray]) -> None:
    """Ascend from noise images to every class."""
    draw = measures.generator(plan.root, seed, "evaluation", "fooling")
    starts = torch.rand(plan.fooling_starts, looked.x.shape[1], generator=draw, dtype=torch.float64).to(looked.x)
    goal = torch.arange(classifier.classes, device=looked.y.device).repeat_interleave(len(starts))
    found = fooling(classifier, starts.repeat(classifier.classes, 1), goal)
    out["fooling_share"][()] = float(found.reached.double().mean())
    out["fooling_start_share"][()] = float((found.reached & (found.steps == 0)).double().mean())
    out["fooling_confidence"][()] = float(found.confidence.double().mean())
    if found.reached.any():
        out["fooling_steps"][()] = np.median(found.steps[found.reached].cpu().numpy())


def run(
    trained: xr.Dataset,
    networks: Sequence[nn.Module],
    images: Images,
    *,
    attacks: Mapping[str, Mapping[str, Any]],
    eps_linf: Sequence[float],
    eps_l2: Sequence[float],
    clip: Sequence[bool],
    n_test: int,
    iterated_seeds: int,
    linearity_images: int,
    minimum_images: int,
    fooling_starts: int,
    root: int,
    device: devices.Device,
    dtype: Literal["float32", "float64"],
    seeds: Sequence[int],
) -> xr.Dataset:
    """Attack every trained run of one job, and measure it.

    Parameters
    ----------
    trained
        Dataset of ``training.run``: its lane axis, seeds, ``diverged`` and ``n_train``.
    networks
        The runs, in evaluation mode, in C order of (lane axes, seed). They are left as they are.
    images
        The dataset they were trained on.
    attacks
        Name to settings of ``advdyn.attacks.attack.Attack``; the attack coordinate, in this order.
    eps_linf, eps_l2
        Sizes of the attacks of each norm, in pixel ranges.
    clip
        Whether attacked images are clipped to the pixel range: one or both.
    n_test
        Attacks, gradients and linearity are measured on the first so many test images, 0 takes all; ``clean_error`` is
        of all.
    iterated_seeds
        Attacks of more than one step, and the smallest eps, are made for seeds below this; the others hold NaN there,
        and in every bound that such an attack belongs to.
    linearity_images, minimum_images, fooling_starts
        Correctly classified test images for linearity; test images for the smallest eps (clipped if any ``clip`` is
        true); noise images for each class. 0 leaves it out (NaN).
    root
        Root of the random streams: "attack" for random starts and noise, "evaluation" for targets, far points and
        fooling starts.
    seeds
        Those of the job.

    Returns
    -------
    Dataset over ([eps_train,] seed, attack, eps, clip, norm, where, quantile), float32 but for ``masking`` (int8);
    see VARIABLES. NaN where an attack's norm does not have the eps, where nothing was measured, and for runs that
    diverged.

    Raises
    ------
    InputError
        When a setting, an image size or the number of networks does not fit.
    """
    plan = plan_of(
        attacks=attacks,
        eps_linf=eps_linf,
        eps_l2=eps_l2,
        clip=clip,
        linearity_images=linearity_images,
        minimum_images=minimum_images,
        fooling_starts=fooling_starts,
        root=root,
    )
    where, kind = devices.resolve(device), devices.DTYPES[dtype]
    axes = tuple(str(d) for d in trained["diverged"].dims)
    shape = trained["diverged"].shape
    found_seeds = trained["seed"].values.tolist()
    if axes[-1] != "seed" or found_seeds != list(seeds) or len(networks) != np.prod(shape, dtype=int):
        raise InputError(f"{len(networks)} networks for seeds {list(seeds)}: the training file holds {found_seeds}")
    x, y = measures.first(images.x_test, images.y_test, n_test, "n_test", where, kind)
    n_train = min(int(trained["n_train"]), TRAIN_IMAGES)
    looked = Looked(
        x,
        y,
        *measures.first(images.x_test, images.y_test, 0, "n_test", where, kind),
        *measures.first(images.x_train, images.y_train, n_train, "n_train", where, kind),
    )

    lengths = {
        "attack": len(plan.attacks),
        "eps": len(plan.sizes),
        "clip": len(plan.clip),
        "norm": len(NORMS),
        "where": len(WHERE),
        "quantile": len(QUANTILES),
    }
    values = {
        name: np.full((*shape, *(lengths[d] for d in dims)), np.nan, np.float32)
        for name, (dims, *_) in VARIABLES.items()
    }
    values["masking"] = np.full((*shape, lengths["clip"]), NOT_MEASURED, np.int8)
    progress = Progress(len(networks), "runs")
    for number, (index, network) in enumerate(zip(np.ndindex(*shape), networks, strict=True)):
        progress(number)
        seed = found_seeds[index[-1]]
        classifier = None if trained["diverged"].values[index] else measures.classifier_of(network, x)
        if classifier is None:
            log.warning("seed %d, lane %s: diverged, not measured", seed, index[:-1])
            continue
        out = {name: array[(*index, ...)] for name, array in values.items()}  # views
        measure_attacks(classifier, looked, plan, seed, seed < iterated_seeds, out)
        measure_gradients(classifier, looked, plan, seed, out)
        measure_linearity(classifier, looked, plan, out)
        if plan.minimum_images and seed < iterated_seeds:
            measure_distances(classifier, looked, plan, seed, out)
        if plan.fooling_starts:
            measure_fooling(classifier, looked, plan, seed, out)
    progress(len(networks))

    data = {
        name: io.variable((*axes, *dims), values[name], long_name, units, references)
        for name, (dims, long_name, units, references) in VARIABLES.items()
    }
    attrs = {
        "title": "Trained networks under attack",
        "device": str(where),
        "dtype": dtype,
        "masking_compares": f"{plan.name_of(plan.single())}, {plan.name_of(plan.iterated('linf'))}",
        "minimum_eps_by": ", ".join(plan.name_of(plan.iterated(norm)) or "none" for norm in NORMS),
    }
    coords = {str(name): trained[name].variable for name in trained.coords if set(trained[name].dims) <= set(axes)}
    # of the job, not of a run: no dimension of runs may come before them when jobs are collected
    coords["classes"] = io.variable(
        (), int(trained["classes"]) if "classes" in trained else int(y.max()) + 1, "classes"
    )
    coords["n_test"] = io.variable((), len(y), "test images")
    coords["image_shape"] = io.variable(("edge",), np.array(images.shape), "shape of an image", "pixel")
    return xr.Dataset(data, coords=coords | coordinates(plan), attrs=attrs)


def coordinates(plan: Plan) -> dict[str, xr.Variable]:
    """The axes of the result, and the table of attacks along ``attack``."""
    table = plan.attacks.values()
    columns = {
        "objective": ([a.objective for a in table], "what the attack ascends", "1"),
        "norm": ([a.norm for a in table], "norm of its ball", "1"),
        "initialisation": ([a.initialisation for a in table], "where it starts", "1"),
        "steps": (np.array([a.steps for a in table], np.int64), "steps; 0: the start alone", "1"),
        "step": (np.array([a.step for a in table], float), "size of a step, in attack_step_unit", "1"),
        "step_unit": ([a.step_unit for a in table], "unit of a step", "1"),
        "restarts": (np.array([a.restarts for a in table], np.int64), "starts, of which the best counts", "1"),
        "label": ([a.label for a in table], "label that it moves away from", "1"),
    }
    return {
        "attack": io.variable(("attack",), list(plan.attacks), "attack"),
        "eps": io.variable(("eps",), np.array(plan.sizes, float), "size of the attack, in its norm", PIXELS),
        "clip": io.variable(("clip",), np.array(plan.clip, bool), "whether attacked images are clipped to [0, 1]"),
        "norm": io.variable(("norm",), list(NORMS), "norm of the ball of the attack"),
        "where": io.variable(("where",), list(WHERE), "images: of training, of the test, uniform noise far from both"),
        "quantile": io.variable(("quantile",), np.array(QUANTILES), "share of the test images"),
    } | {f"attack_{name}": io.variable(("attack",), v, text, units) for name, (v, text, units) in columns.items()}
