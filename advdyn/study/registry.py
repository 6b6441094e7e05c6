"""The studies there are. A new study is its model, its modules, its rules, its file, and one line here."""

from __future__ import annotations

from importlib import import_module

from advdyn.study.errors import wrong
from advdyn.study.model import StudyModel

# Name -> module of its model (class Model), imported only when the study is asked for.
STUDIES = {
    "mixture": "advdyn.mixture.model",
    "logistic": "advdyn.logistic.model",
    "robustness": "advdyn.robustness.model",
    "turing": "advdyn.turing.model",
    "generation": "advdyn.generation.model",
    "degeneration": "advdyn.degeneration.model",
    "semisupervised": "advdyn.semisupervised.model",
}


def model_of(name: str, where: str = "config/config.yaml") -> type[StudyModel]:
    """The model of a study.

    Raises
    ------
    ConfigError
        When there is no such study.
    """
    if name not in STUDIES:
        raise wrong(where, "studies", name, "one of " + ", ".join(STUDIES))
    return import_module(STUDIES[name]).Model
