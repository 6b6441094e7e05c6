"""%dd, the recoverability reading: what an attacker who sees outputs only can tell of the originals.

The attacker fits decoders on pairs, and for each of three criteria chooses the decoder, and its setting, that does best
on validation pairs; the choice is scored once, on held-out pairs. Every criterion reads 0 for untouched data and, in
the mean, 100 for outputs that are independent of the originals (n held-out pairs, ``chance`` what independence gives):

* r2: 100 (1 - R^2), with R^2 = 1 - SSE / SSE of the mean of the fit originals;
* top1: 100 (1 - (top1 - 1/n) / (1 - 1/n)), the share of outputs whose reconstruction is nearest to its own original
  among all n by cosine, both less that mean; k equal ones count 1/k;
* probe: 100 (1 - (probe - chance) / (clean - chance)), the agreement of a linear label probe with the labels, where
  ``clean`` is that on the originals and chance = sum_c share of predictions c x share of labels c.

Why independent outputs read 100 without bias. Given what was fitted and chosen, the held-out outputs are exchangeable
and know nothing of the originals: the right one is picked with probability 1/n, and the labels meet the predictions as
often as a random permutation of these would, which is ``chance``. This holds whatever was chosen. R^2 is different:
every decoder but the mean has R^2 < 0 on independent data, so that one chosen by luck would read above 100. Hence the
``GUARD``: a decoder is used only where its gain on the validation pairs over knowing nothing (the mean; a guess; the
share of labels) exceeds two of its standard errors. The other criteria have it too, or the smallest of three noisy
numbers, cut at 100, would read below 100.

%dd is the smallest component, cut to [0, 100]. It bounds destruction from above: another attacker may do better.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from advdyn.degeneration import decoders as families
from advdyn.degeneration.decoders import Decoded, Decoder, Floats, Integers, Pairs, Probe, Singles
from advdyn.errors import InputError

COMPONENTS = ("r2", "top1", "probe")
GUARD = 2.0  # standard errors
NOTHING = "none"  # the decoder that knows nothing: the mean of the originals
CLOSE = 1e-6  # cosines this close count as equal: float32 rounds them by a tenth of it

Doubles = npt.NDArray[np.float64]


def probe_of(fit: Pairs, validation: Pairs, penalties: Sequence[float]) -> Probe | None:
    """The linear label probe of the originals; None without labels, or with one class only.

    Parameters
    ----------
    fit, validation
        Their outputs are not read.
    penalties
        Of the ridge regression of one-hot labels, see ``decoders.ridges``; validation chooses.
    """
    if fit.labels is None or validation.labels is None:
        return None
    classes = np.unique(fit.labels)
    if len(classes) < 2:
        return None
    best, chosen = -np.inf, None
    for ridge in families.ridges(fit.originals, None, onehot(fit.labels, classes), penalties).values():
        for setting, decoded in enumerate(ridge.decode(validation.originals, range(len(ridge.settings)))):
            assert decoded.scores is not None  # labels are all it was fitted on
            found, chance = agreement(decoded.scores, classes, validation.labels)
            if found - chance > best:
                best, chosen = found - chance, Probe(ridge, setting, classes)
    return chosen


@dataclass(frozen=True)
class Recovery:
    """What was recovered of the held-out originals.

    Attributes
    ----------
    r2, top1, probe
        Of each family of decoders, in the setting that validation chose for that criterion: R^2, share of right picks,
        share of right labels on the held-out pairs. NaN where there is none.
    component
        Unclipped, of COMPONENTS; NaN without labels, or where even the originals tell no labels.
    chosen
        The family used for each component, or ``none``.
    validation
        What the chosen decoder reached on the validation pairs, in the units of ``r2``, ``top1`` and ``probe``.
    """

    r2: Mapping[str, float]
    top1: Mapping[str, float]
    probe: Mapping[str, float]
    component: tuple[float, ...]
    chosen: tuple[str, ...]
    validation: tuple[float, ...]

    @property
    def dd(self) -> float:
        """%dd: the smallest component, cut to [0, 100]."""
        return float(np.nanmin(np.clip(self.component, 0, 100)))


@dataclass(frozen=True)
class Attacker:
    """Decoders fitted, and chosen, on fit and validation pairs.

    Attributes
    ----------
    decoders
        The families.
    settings
        (family, criterion) to the place of the setting chosen within the family.
    chosen
        The family of each criterion, or ``none``.
    validation
        What it reached there.
    probe, mean
        The label probe of the originals, and the mean of the fit originals (pixel,).
    """

    decoders: Mapping[str, Decoder]
    settings: Mapping[tuple[str, str], int]
    chosen: tuple[str, ...]
    validation: tuple[float, ...]
    probe: Probe | None
    mean: Singles

    def score(self, heldout: Pairs) -> Recovery:
        """Score the choices, once, on pairs that had no part in them."""
        truth = Truth.of(heldout, self.mean, self.probe)
        found: dict[str, dict[str, float]] = {criterion: {} for criterion in COMPONENTS}
        components: dict[str, float] = dict.fromkeys(COMPONENTS, 100.0)
        for family, decoder in self.decoders.items():
            places = sorted({self.settings[family, c] for c in COMPONENTS})
            for place, decoded in zip(places, decoder.decode(heldout.outputs, places), strict=True):
                for criterion, chosen in zip(COMPONENTS, self.chosen, strict=True):
                    if place == self.settings[family, criterion]:
                        gain = truth.gain(decoded, criterion)
                        found[criterion][family] = gain.value
                        if family == chosen:
                            components[criterion] = 100 * (1 - truth.share(gain, criterion))
        if not truth.readable:
            components["probe"] = np.nan
        component = tuple(components.values())
        return Recovery(found["r2"], found["top1"], found["probe"], component, self.chosen, self.validation)


class Gain(NamedTuple):
    """``value`` reached, what ``nothing`` reaches, and the standard error of the difference."""

    value: float
    nothing: float
    error: float

    @property
    def ahead(self) -> float:
        """The difference."""
        return self.value - self.nothing


@dataclass(frozen=True)
class Truth:
    """The originals that reconstructions are compared with.

    Attributes
    ----------
    centred, direction
        (n, pixel), less the mean of the fit originals; also of length 1 (a row of zeros stays).
    labels : (n,)
    probe
        Of originals; ``clean`` and ``guess`` are its agreement with the labels here, and that of independent labels.
    """

    centred: Singles
    direction: Singles
    labels: Integers | None
    probe: Probe | None
    clean: float
    guess: float

    @classmethod
    def of(cls, pairs: Pairs, mean: Singles, probe: Probe | None) -> "Truth":
        """Those of pairs, whose outputs are not read."""
        centred = pairs.originals - mean
        length = np.sqrt(squares(centred)).astype(np.float32)[:, None]
        clean = guess = np.nan
        if probe is not None and pairs.labels is not None:
            clean, guess = agreement(probe.scores(pairs.originals), probe.classes, pairs.labels)
        direction = np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)
        return cls(centred, direction, pairs.labels, probe, clean, guess)

    @property
    def readable(self) -> bool:
        """Whether labels can be told from the originals at all."""
        return bool(self.clean > self.guess)

    def gain(self, decoded: Decoded, criterion: str) -> Gain:
        """What a reconstruction reaches in a criterion; NaN where there are no labels."""
        n = len(self.centred)
        if criterion == "r2":
            wrong, before = squares(self.centred - decoded.image), squares(self.centred)
            total = before.mean()
            if total == 0:
                return Gain(np.nan, 0.0, np.nan)
            return Gain(1 - wrong.mean() / total, 0.0, float((before - wrong).std(ddof=1)) / total / np.sqrt(n))
        if criterion == "top1":
            return Gain(
                float(right(decoded.image, self.direction).mean()), 1 / n, np.sqrt((1 - 1 / n) / n) / np.sqrt(n)
            )
        if decoded.scores is None or self.probe is None or self.labels is None:
            return Gain(np.nan, np.nan, np.nan)
        found, chance = agreement(decoded.scores, self.probe.classes, self.labels)
        return Gain(found, chance, np.sqrt(chance * (1 - chance) / n))

    def share(self, gain: Gain, criterion: str) -> float:
        """The gain over that of the originals themselves."""
        whole = self.clean if criterion == "probe" else 1.0
        return gain.ahead / (whole - gain.nothing) if whole > gain.nothing else np.nan


def attack(
    fit: Pairs,
    validation: Pairs,
    *,
    decoders: Sequence[str],
    penalties: Sequence[float],
    decoder_width: int = 256,
    decoder_epochs: int = 30,
    generator: np.random.Generator | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    probe: Probe | None = None,
) -> Attacker:
    """Fit every family of decoders on the fit pairs, and choose on the validation pairs.

    Parameters
    ----------
    fit, validation
        Pairs, with labels or without.
    decoders
        Families, of identity, ridge, ridge-whitened and mlp. Where two do equally well the first is chosen.
    penalties
        Of the ridge regressions.
    decoder_width, decoder_epochs, generator, device, dtype
        Of the perceptron, see ``decoders.mlp``.
    probe
        What ``probe_of`` gave for these originals, if it is there already.

    Raises
    ------
    InputError
        When a family is unknown, there are fewer than two pairs, or the perceptron has no generator.
    """
    if min(len(fit), len(validation)) < 2:
        raise InputError(f"pairs: found {len(fit)} to fit and {len(validation)} to validate on, allowed: at least 2")
    unknown = set(decoders) - {"identity", "ridge", "ridge-whitened", "mlp"}
    if unknown:
        raise InputError(f"decoders: found {', '.join(sorted(unknown))}, which is no family")
    probe = probe_of(fit, validation, penalties) if probe is None else probe
    mean = fit.originals.mean(0, dtype=np.float64).astype(np.float32)
    made: dict[str, Decoder] = {}
    if {"ridge", "ridge-whitened"} & set(decoders):
        labels = None if probe is None or fit.labels is None else onehot(fit.labels, probe.classes)
        made |= families.ridges(fit.outputs, fit.originals, labels, penalties)
    if "identity" in decoders:
        made["identity"] = families.Identity(mean, probe)
    if "mlp" in decoders:
        if generator is None:
            raise InputError("decoders: found mlp and no generator")
        made["mlp"] = families.mlp(
            fit, validation, probe, width=decoder_width, epochs=decoder_epochs, generator=generator,
            device=torch.device(device), dtype=dtype,
        )  # fmt: skip
    truth = Truth.of(validation, mean, probe)
    settings: dict[tuple[str, str], int] = {}
    best = dict.fromkeys(COMPONENTS, -np.inf)
    chosen = dict.fromkeys(COMPONENTS, NOTHING)
    reached = dict.fromkeys(COMPONENTS, np.nan)
    for family in sorted(decoders, key=lambda name: name != "identity"):
        within: dict[str, Gain] = {}
        places = range(len(made[family].settings))
        for place, decoded in zip(places, made[family].decode(validation.outputs, places), strict=True):
            for criterion in COMPONENTS:
                gain = truth.gain(decoded, criterion)
                if place == 0 or gain.ahead > within[criterion].ahead:
                    within[criterion], settings[family, criterion] = gain, place
        for criterion, gain in within.items():
            # the outputs as they are give way only to what is clearly better: untouched data then read 0
            margin = max(0.0, GUARD * gain.error) if chosen[criterion] == "identity" else 0.0
            if gain.ahead > max(GUARD * gain.error, best[criterion] + margin):
                best[criterion], chosen[criterion], reached[criterion] = gain.ahead, family, gain.value
    return Attacker(
        {family: made[family] for family in decoders},
        settings, tuple(chosen.values()), tuple(reached.values()), probe, mean,
    )  # fmt: skip


def components(fit: Pairs, validation: Pairs, heldout: Pairs, **settings: Any) -> Recovery:
    """What is recovered: ``attack`` the fit and validation pairs, then ``Attacker.score`` the held-out ones.

    Parameters
    ----------
    fit, validation, heldout
        Pairs that share none. The held-out pairs are scored, and do nothing else.
    **settings
        See ``attack``.
    """
    return attack(fit, validation, **settings).score(heldout)


def squares(rows: Singles) -> Doubles:
    """Sum of the squares of each row, (n,)."""
    return np.einsum("ij,ij->i", rows, rows, dtype=np.float64)


def right(image: Singles, direction: Singles) -> Doubles:
    """Whether each reconstruction is nearest to its own original, (n,): 1/k where k originals are equally near.

    Parameters
    ----------
    image, direction : (n, pixel)
        Reconstructions and originals, both less the mean; the originals of length 1.
    """
    # the length of a reconstruction changes none of its comparisons
    cosine = image @ direction.T
    near = cosine.max(1) - CLOSE * np.sqrt(squares(image)).astype(np.float32)
    equal = cosine >= near[:, None]
    return equal.diagonal() / equal.sum(1)


def agreement(scores: Floats, classes: Integers, labels: Integers) -> tuple[float, float]:
    """Share of the labels (n,) that the largest of the scores (n, class) tells, and that of independent predictions."""
    predicted = classes[scores.argmax(1)]
    chance = sum(float((predicted == c).mean() * (labels == c).mean()) for c in classes)
    return float((predicted == labels).mean()), chance


def onehot(labels: Integers, classes: Integers) -> Singles:
    """1 in the column of each label, (n, class) float32."""
    return (labels[:, None] == classes).astype(np.float32)
