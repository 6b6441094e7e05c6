"""What an attack is: objective x norm x initialisation x steps. Validation only; imports without torch."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from advdyn.errors import InputError

CHOICES = {
    "objective": ("loss", "margin", "output", "logit"),
    "norm": ("linf", "l2"),
    "initialisation": ("image", "uniform", "sign"),
    "step_unit": ("eps", "pixel"),
    "label": ("true", "predicted"),
}


@dataclass(frozen=True)
class Attack:
    """One attack, to be made at any eps.

    Attributes
    ----------
    objective
        What is ascended. ``loss``: cross-entropy of the label. ``margin``: largest other logit minus that of the
        label. ``output``, ``logit``: probability, or logit, of a target minus that of the label (targeted).
    norm
        Of the ball |delta| <= eps, and of the steps: sign(g) for l_inf, g/|g|_2 for l2.
    initialisation
        ``image``: the image itself. ``uniform``: uniform in the ball. ``sign``: a random corner of the l_inf ball,
        or uniform on the l2 sphere.
    steps
        Gradient steps; 0 is the initialisation alone (noise).
    step
        Length of a step, in ``step_unit``: times eps, or in units of the pixel range.
    restarts
        Initialisations tried for each image.
    label
        The label attacked: the true one, or the one predicted without attack (no label leaking).

    Raises
    ------
    InputError
        When a value is none of those allowed, or two of them contradict each other.

    References
    ----------
    Goodfellow et al., arXiv:1412.6572 (FGSM); Kurakin et al., arXiv:1607.02533 (BIM); Madry et al., arXiv:1706.06083
    (PGD).
    """

    objective: Literal["loss", "margin", "output", "logit"] = "loss"
    norm: Literal["linf", "l2"] = "linf"
    initialisation: Literal["image", "uniform", "sign"] = "image"
    steps: int = 1
    step: float = 1.0
    step_unit: Literal["eps", "pixel"] = "eps"
    restarts: int = 1
    label: Literal["true", "predicted"] = "true"

    def __post_init__(self) -> None:
        """Refuse what is not allowed."""
        problem = _problem({field.name: getattr(self, field.name) for field in fields(self)})
        if problem:
            raise InputError(f"attack: {problem}")

    @property
    def targeted(self) -> bool:
        """Whether the attack needs a target class for each image."""
        return self.objective in ("output", "logit")

    @property
    def random(self) -> bool:
        """Whether the attack needs random numbers."""
        return self.initialisation != "image"

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any]) -> "Attack":
        """The attack that an entry of a study's ``attacks`` describes; what is not given has the default of the class.

        Raises
        ------
        InputError
            Naming the entry and the key: "attacks: fgsm.norm: found 'l3', allowed: linf, l2".
        """
        if not isinstance(settings, Mapping):
            raise InputError(f"attacks: {name}: found {settings!r}, allowed: a mapping of {', '.join(_NAMES)}")
        unknown = [key for key in settings if key not in _NAMES]
        if unknown:
            raise InputError(f"attacks: {name}.{unknown[0]}: unknown, allowed: {', '.join(_NAMES)}")
        if settings.get("label") is True:  # YAML's `label: true`
            settings = {**settings, "label": "true"}
        problem = _problem({**_DEFAULTS, **settings})
        if problem:
            raise InputError(f"attacks: {name}.{problem}")
        return cls(**settings)


def _problem(values: Mapping[str, Any]) -> str | None:
    """The first value that is not allowed, as "name: found .., allowed: ..", or None."""
    for name, allowed in CHOICES.items():
        if not isinstance(values[name], str) or values[name] not in allowed:
            return f"{name}: found {values[name]!r}, allowed: {', '.join(allowed)}"
    for name, least in (("steps", 0), ("restarts", 1)):
        value = values[name]
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            return f"{name}: found {value!r}, allowed: a whole number, {least} or more"
    step = values["step"]
    if not isinstance(step, int | float) or isinstance(step, bool) or not (step > 0 and math.isfinite(step)):
        return f"step: found {step!r}, allowed: a number above 0"
    if values["initialisation"] == "image" and values["steps"] == 0:
        return "steps: found 0 with initialisation image, which is no attack, allowed: 1 or more"
    if values["initialisation"] == "image" and values["restarts"] > 1:
        return f"restarts: found {values['restarts']} with initialisation image, where all are equal, allowed: 1"
    return None


_DEFAULTS = {field.name: field.default for field in fields(Attack)}
_NAMES = tuple(_DEFAULTS)

FGSM = Attack()
"""x + eps sign(grad_x loss)."""
BIM = Attack(steps=10)
"""The basic iterative method as the seed has it: steps of eps, each projected on the ball, from the image."""
PGD = Attack(initialisation="uniform", steps=40, step=1 / 30)
"""40 steps from a random start; at eps = .3 they are the .01 of Madry et al., elsewhere in proportion to eps."""
