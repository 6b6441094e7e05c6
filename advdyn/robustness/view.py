"""A reader's view of the collected study: which points exist, and their numbers over seeds.

The collected data set is the union of several grids, so most combinations of its dimensions hold nothing. What
figures and claims ask for (the points there are, a curve over seeds, the attack that plays a role) is found here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from advdyn.errors import InputError
from advdyn.robustness import names

POINT = ("model", "training", "eps_train", "n_train")
STANDARD = "standard"
NOISES = ("sign-noise", "uniform-noise")
TRAININGS = {
    STANDARD: "standard",
    "fgsm": "FGSM (mixed loss)",
    "fgsm-minmax": "FGSM (min-max)",
    "pgd": "PGD (min-max)",
    "random-eps": r"FGSM, random $\epsilon$",
    "nonrobust": "non-robust only",
    "sign-noise": "sign noise",
    "uniform-noise": "uniform noise",
}
DEFAULT_REFERENCE = 0.1  # where a data set does not say which size of attack its study refers to
MASKED = 2 | 4  # bits of the flag masking that ordinary curvature does not set
COLLAPSED = 0.9  # share of a constant's error above which a run learned nothing


@dataclass(frozen=True, order=True)
class Point:
    """One trained network, but for its seed.

    Attributes
    ----------
    model, training
        Architecture and training method.
    eps_train
        Size of the training attack (or noise), in units of the pixel range; 0 for standard training.
    n_train
        Number of training images.
    """

    model: str
    training: str
    eps_train: float
    n_train: int

    @property
    def adversarial(self) -> bool:
        """Whether it was trained on attacked images (noise is a control, not an attack)."""
        return self.training != STANDARD and self.training not in NOISES

    def words(self, model: bool = True) -> str:
        """The point in words for the conditions of a claim."""
        eps = f" {self.eps_train:g}" if self.eps_train > 0 else ""
        return (f"{self.model} " if model else "") + f"{self.training}{eps}"


@dataclass(frozen=True)
class Roles:
    """The attacks of the table by the part they play; None where there is none.

    Attributes
    ----------
    single, iterated
        First untargeted attack of one step from the image, and the strongest of several steps: the most steps times
        restarts, of equals the one with the smallest step (l_inf, true labels).
    noise
        First attack without a step: random signs where there are any (l_inf).
    targeted
        First targeted attack, an iterated one where there is any (l_inf).
    single_l2, iterated_l2, noise_l2
        Their l2 versions.
    """

    single: str | None
    iterated: str | None
    noise: str | None
    targeted: str | None
    single_l2: str | None
    iterated_l2: str | None
    noise_l2: str | None

    def of(self, norm: str) -> tuple[str | None, str | None, str | None]:
        """Single-step attack, iterated attack and noise of one norm."""
        if norm == "l2":
            return self.single_l2, self.iterated_l2, self.noise_l2
        return self.single, self.iterated, self.noise


@dataclass(frozen=True)
class View:
    """The collected study, regular: every dimension of a point and ``seed`` exist, and no other axis of runs.

    Attributes
    ----------
    data
        The data set of ``of``.
    """

    data: xr.Dataset

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """The points with at least one run that was evaluated; models and trainings in the order of the data."""
        there = self.data["clean_error"].notnull().any("seed").transpose(*POINT)
        axes = [self.data[name].values for name in POINT]
        found = (tuple(axis[i] for axis, i in zip(axes, place, strict=True)) for place in np.argwhere(there.values))
        return tuple(Point(str(m), str(t), float(e), int(n)) for m, t, e, n in found)

    @cached_property
    def models(self) -> tuple[str, ...]:
        """Models that exist, in the order of their kind, depth and width."""
        return tuple(sorted({p.model for p in self.points}, key=rank))

    @cached_property
    def trainings(self) -> tuple[str, ...]:
        """Training methods that exist, the well-known ones in the order of TRAININGS."""
        found = {p.training for p in self.points}
        return (*(t for t in TRAININGS if t in found), *sorted(found - set(TRAININGS)))

    @cached_property
    def n_train(self) -> int:
        """The number of training images that most points have; the largest of those with equally many."""
        counted: dict[int, int] = {}
        for point in self.points:
            counted[point.n_train] = counted.get(point.n_train, 0) + 1
        return max(counted, key=lambda n: (counted[n], n))

    @cached_property
    def reference(self) -> float:
        """The listed size of attack (l_inf) next to the study's eps_reference."""
        asked = DEFAULT_REFERENCE
        if "eps_reference" in self.data:
            asked = float(self.data["eps_reference"].values.ravel()[0])
        elif "eps_reference" in self.data.attrs:
            asked = float(self.data.attrs["eps_reference"])
        if "bound" not in self.data:
            return asked
        some = self.data["bound"].sel(norm="linf").notnull()
        sizes = self.data["eps"].values[some.any([d for d in some.dims if d != "eps"]).values]
        return float(sizes[np.abs(sizes - asked).argmin()]) if sizes.size else asked

    @cached_property
    def clip(self) -> bool | int:
        """Whether attacked images are clipped to the pixel range in what is shown: clipped where that was measured."""
        values = list(self.data["clip"].values)
        return True if True in values else values[0]

    @cached_property
    def roles(self) -> Roles:
        """The attacks of the table by role."""
        none = {"single": None, "iterated": None, "noise": None, "targeted": None, "single_l2": None,
                "iterated_l2": None, "noise_l2": None}  # fmt: skip
        found: dict[str, str | None] = dict(none)
        for name in self.attacks:
            row = self.attack(name)
            if row["label"] != "true":
                continue
            targeted = row["objective"] in ("output", "logit")
            end = "_l2" if row["norm"] == "l2" else ""
            if row["steps"] == 0:
                old = found[f"noise{end}"]
                if old is None or (row["initialisation"] == "sign" != self.attack(old)["initialisation"]):
                    found[f"noise{end}"] = name
            elif targeted:
                old = found["targeted"]
                if not end and (old is None or (row["steps"] > 1 >= self.attack(old)["steps"])):
                    found["targeted"] = name
            elif row["steps"] > 1:
                old = found[f"iterated{end}"]
                if old is None or _strength(row) > _strength(self.attack(old)):
                    found[f"iterated{end}"] = name
            elif row["initialisation"] == "image":
                found[f"single{end}"] = found[f"single{end}"] or name
        return Roles(**found)

    @property
    def attacks(self) -> tuple[str, ...]:
        """Names of the attacks."""
        return tuple(str(name) for name in self.data["attack"].values)

    def attack(self, name: str) -> dict[str, Any]:
        """One row of the table of attacks."""
        row = self.data.sel(attack=name)
        keys = ("objective", "norm", "initialisation", "steps", "step", "restarts", "label")
        return {key: row[f"attack_{key}"].values.ravel()[0] for key in keys}

    def where(self, **wanted: Any) -> list[Point]:
        """Points whose attributes equal what is wanted, or are in it."""

        def fits(point: Point) -> bool:
            return all(
                getattr(point, name) in value if isinstance(value, list | tuple) else getattr(point, name) == value
                for name, value in wanted.items()
            )

        return [point for point in self.points if fits(point)]

    def nearest(self, model: str, training: str, eps: float, n_train: int | None = None) -> Point | None:
        """The point of a model and training whose eps_train is next to eps (0 for standard training)."""
        found = self.where(model=model, training=training, n_train=self.n_train if n_train is None else n_train)
        return min(found, key=lambda p: abs(p.eps_train - eps), default=None)

    def at(self, point: Point, variable: str) -> xr.DataArray:
        """A variable of one point, over seed and its own dimensions."""
        if variable not in self.data:
            return xr.DataArray(np.full(self.data.sizes["seed"], np.nan), {"seed": self.data["seed"]}, ("seed",))
        return self.data[variable].sel(
            model=point.model, training=point.training, eps_train=point.eps_train, n_train=point.n_train
        )

    def number(self, point: Point, variable: str, **where: Any) -> xr.DataArray:
        """A variable of one point as a number for each seed that has it."""
        found = self.at(point, variable)
        return found.sel({k: v for k, v in where.items() if k in found.dims}).dropna("seed")

    def curve(self, point: Point, attack: str | None, variable: str = "error", clip: Any = None) -> xr.DataArray:
        """A variable of one attack over (seed, eps), only what was measured; empty where nothing was."""
        found = self.at(point, variable)
        if attack is None or "attack" not in found.dims:
            return self._empty()
        found = found.sel(attack=attack, clip=self.clip if clip is None else clip)
        return found.dropna("eps", how="all").dropna("seed", how="all").transpose("seed", "eps").reset_coords(drop=True)

    def bound(self, point: Point, norm: str = "linf", clip: Any = None) -> xr.DataArray:
        """The best lower bound of the error under attack, over (seed, eps); empty where nothing was measured."""
        found = self.at(point, "bound")
        if "norm" not in found.dims or norm not in found["norm"].values:
            return self._empty()
        found = found.sel(norm=norm, clip=self.clip if clip is None else clip)
        return found.dropna("eps", how="all").dropna("seed", how="all").transpose("seed", "eps").reset_coords(drop=True)

    def _empty(self) -> xr.DataArray:
        return xr.DataArray(np.empty((0, 0)), {"seed": np.empty(0, int), "eps": np.empty(0)}, ("seed", "eps"))

    def bound_at(self, point: Point, eps: float, norm: str = "linf") -> xr.DataArray:
        """The best lower bound at the listed size next to eps, for each seed."""
        return size(self.bound(point, norm), eps)

    def error_at(self, point: Point, attack: str | None, eps: float) -> xr.DataArray:
        """The error under one attack at the listed size next to eps, for each seed."""
        return size(self.curve(point, attack), eps)

    def unattacked(self, point: Point) -> xr.DataArray:
        """The error without attack on the images that are attacked, for each seed.

        ``clean_error`` is of all test images. This is the error at eps = 0 of an l_inf attack, the first that a seed
        has: all of them leave the image as it is.
        """
        found = self._empty().sum("eps")
        for name in self.attacks:
            if self.attack(name)["norm"] == "linf":
                curve = self.curve(point, name)
                start = curve.isel(eps=np.flatnonzero(curve["eps"].values == 0)[:1])
                if start.sizes["eps"]:
                    found = found.combine_first(start.isel(eps=0, drop=True).dropna("seed"))
        return found

    def learned(self, point: Point, values: xr.DataArray) -> xr.DataArray:
        """What is given for each seed, without the runs that predict a constant."""
        return values.isel(seed=~np.isin(values["seed"].values, self.collapsed(point)))

    def collapsed(self, point: Point) -> np.ndarray:
        """The seeds whose runs predict a constant, or nearly so: their error under attack says nothing of attacks."""
        clean = self.number(point, "clean_error")
        classes = float(self.data["classes"].values.ravel()[0]) if "classes" in self.data else 10.0
        return clean["seed"].values[clean.values > COLLAPSED * (1 - 1 / classes)]


def of(study: xr.Dataset) -> View:
    """The view of a collected data set.

    Axes beyond those of a point (a swept learning rate, say) are folded into the names of the models, so that nothing
    is left out: ``mlp-256, learning_rate=0.1``.

    Raises
    ------
    InputError
        When no run of the study was evaluated.
    """
    if "clean_error" not in study or not bool(study["clean_error"].notnull().any()):
        raise InputError("the study robustness holds no evaluated run: nothing to draw or to assess")
    for name in (*POINT, "seed"):
        if name not in study["clean_error"].dims:
            study = _expanded(study, name)
    other = [str(d) for d in study["clean_error"].dims if d not in (*POINT, "seed")]
    if not other:
        return View(study)
    parts = []
    for values in product(*(study[d].values for d in other)):
        part = study.sel(dict(zip(other, values, strict=True))).drop_vars(other)
        kept = part["clean_error"].notnull().any([d for d in part["clean_error"].dims if d != "model"])
        part = part.isel(model=np.flatnonzero(kept.values))
        words = ", ".join(f"{d}={v}" for d, v in zip(other, values, strict=True))
        parts.append(part.assign_coords(model=[f"{m}, {words}" for m in part["model"].values]))
    return View(
        xr.concat(parts, "model", data_vars="minimal", coords="minimal", compat="override", join="outer")
    )  # fmt: skip


def _strength(attack: dict[str, Any]) -> tuple[float, float]:
    return attack["steps"] * attack["restarts"], -attack["step"]


def _expanded(study: xr.Dataset, name: str) -> xr.Dataset:
    """The data set with a scalar parameter as a dimension of everything that is measured on runs."""
    value = study[name].values if name in study.coords else {"eps_train": 0.0, "n_train": 0, "seed": 0}.get(name, "")
    runs = [v for v in study.data_vars if set(study[v].dims) & ({*POINT, "seed"} - {name})]
    bare = study.drop_vars(name, errors="ignore")
    return bare.assign({v: bare[v].expand_dims({name: [np.asarray(value).item()]}) for v in runs or ["clean_error"]})


def size(curve: xr.DataArray, eps: float) -> xr.DataArray:
    """A curve at its listed size next to eps, for each seed that has it."""
    if curve.sizes["eps"] == 0:
        return curve.isel(eps=slice(0)).sum("eps")
    return curve.sel(eps=eps, method="nearest").dropna("seed")


def crossing(curve: xr.DataArray, level: float) -> float:
    """The size at which the mean curve first reaches a level, linear between listed sizes; nan where it does not."""
    mean, sizes = curve.mean("seed").values, curve["eps"].values
    above = np.flatnonzero(mean >= level)
    if above.size == 0:
        return np.nan
    i = int(above[0])
    if i == 0:
        return float(sizes[0])
    share = (level - mean[i - 1]) / (mean[i] - mean[i - 1])
    return float(sizes[i - 1] + share * (sizes[i] - sizes[i - 1]))


def architecture(model: str) -> tuple[str, int, int]:
    """Kind, width and depth of a model by its name; ("own", 0, -1) for a user's model.

    What follows a comma are other axes of the study (see ``of``).
    """
    try:
        found = names.parse(model.split(",")[0])
    except InputError:
        return "own", 0, -1
    return found.kind, found.width, found.depth


def linear(model: str) -> bool:
    """Whether a model is linear in its input."""
    return architecture(model)[0] == "softmax"


def rank(model: str) -> tuple[int, int, int, str]:
    """Where a model comes: linear ones first, then by depth and width, convolutional ones, a user's own."""
    kind, width, depth = architecture(model)
    order = {"softmax": 0, "mlp": 1, "cnn": 2}
    return order.get(kind, 3), depth, width, model


def training_name(training: str) -> str:
    """A training method for a legend."""
    return TRAININGS.get(training, training)


def half_eps(data: xr.Dataset) -> str:
    """The variable of the eps that breaks half of the images, of those right without attack where that is there.

    Over all images it also falls where the network is worse without attack.
    """
    return "half_eps_correct" if "half_eps_correct" in data else "half_eps"


def shape_of(data: xr.Dataset) -> tuple[int, ...]:
    """Shape of an image.

    Raises
    ------
    InputError
        When the data set does not say.
    """
    if "image_shape" in data:
        return tuple(int(edge) for edge in data["image_shape"].values.ravel())
    if "image_shape" in data.attrs:
        text = data.attrs["image_shape"]
        return tuple(int(edge) for edge in (text.split(",") if isinstance(text, str) else np.ravel(text)))
    raise InputError("the data set does not say the shape of its images (image_shape)")
