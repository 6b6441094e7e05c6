"""The parameters and steps of the study `generation`."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from advdyn.study.model import Cost, Step, StudyModel, parameter

SYSTEM = (
    "n_train", "latent", "width", "d_width", "batch_normalisation", "loss", "d_steps", "learning_rate", "beta1",
    "batch", "epochs", "kept", "shown",
)  # fmt: skip
RUNNING = ("root", "device", "dtype")
FIGURE = Cost(5.0, 450.0, 2.0)
FIGURES = ("samples", "metrics", "discriminator", "classes", "settings", "nearest")


def training_cost(point: Mapping[str, Any]) -> Cost:
    """Passes through both networks, at 15 ms for an update of 64 images on one core."""
    updates = point["epochs"] * max(1, point["n_train"] // point["batch"])
    one = 1e-2 + 9e-5 * point["batch"] * (point["width"] / 512) * (0.5 + 0.5 * point["d_steps"])
    runs = len(point["seeds"])
    return Cost(4 + updates * one * runs, 600 + 25.0 * runs * len(point["kept"]), 2.5 * runs * len(point["kept"]))


def evaluation_cost(point: Mapping[str, Any]) -> Cost:
    """A fresh discriminator, a linear classifier and neighbours, for each seed and (about seven) generators kept."""
    return Cost(6 + 15 * (0.4 + 0.1 * point["fresh_epochs"]) * point["samples"] / 500, 800.0, 1.0)


class Model(StudyModel):
    """A generative adversarial network on images (Goodfellow et al.; Srihari), with a judge trained on other images."""

    name: ClassVar[str] = "generation"
    data_sources: ClassVar[tuple[str, ...]] = ("bundled", "directory", "download", "npz")
    steps: ClassVar[Mapping[str, Step]] = {
        "train": Step((*SYSTEM, *RUNNING, "seeds"), "block", training_cost, gpu=lambda _: True),
        "train_judge": Step(
            ("judge_images", "judge_epochs", "root"), cost=lambda p: Cost(4 + 0.2 * p["judge_epochs"], 600.0),
        ),
        "evaluate": Step(
            ("n_train", "samples", "fresh_epochs", *RUNNING), "block", evaluation_cost,
            after=("train", "train_judge"), gpu=lambda _: True,
        ),
        "evaluate_references": Step(
            ("n_train", "samples", "fresh_epochs", "reference_draws", *RUNNING),
            cost=lambda p: Cost(5 + 4 * 0.6 * p["reference_draws"] * p["samples"] / 500, 800.0),
            after=("train_judge",), gpu=lambda _: True,
        ),
        "collect": Step(cost=lambda _: Cost(4.0, 600.0, 10.0)),
        "assess": Step(cost=lambda _: Cost(4.0, 500.0)),
        **{f"plot_{kind}": Step(cost=lambda _: FIGURE) for kind in FIGURES},
    }  # fmt: skip

    dataset: str = parameter("mnist", "data set, by its name in the configuration", sweep=False)
    n_train: int = parameter(2500, "images the GAN is trained on, the first so many of the training split", ge=1)
    latent: int = parameter(100, "length of the latent vector z, standard normal", ge=1)
    width: int = parameter(512, "last hidden layer of the generator; its others have a quarter and a half of it", ge=4)
    d_width: int = parameter(512, "first hidden layer of the discriminator; its second has half of it", ge=2)
    batch_normalisation: bool = parameter(True, "whether the generator's hidden layers are batch-normalised")
    loss: Literal["non-saturating", "minimax"] = parameter(
        "non-saturating", "generator's loss: -log D(G(z)), or log(1 - D(G(z))) as in the criterion"
    )
    d_steps: int = parameter(1, "updates of the discriminator for one of the generator", ge=1)
    learning_rate: float = parameter(2e-4, "learning rate of Adam, of both networks", gt=0)
    beta1: float = parameter(0.5, "Adam's beta1 (beta2 .999)", ge=0, lt=1)
    batch: int = parameter(64, "images of one update", ge=2)
    epochs: int = parameter(24, "passes through the training images", ge=1)
    kept: list[int] = parameter(
        [0, 1, 2, 5, 10, 15, 24], "epochs after which the generator is kept and judged", "pass", sweep=False,
        min_length=1,
    )  # fmt: skip
    shown: int = parameter(64, "samples kept as pictures, of the same latent vectors at every epoch", sweep=False, ge=1)
    samples: int = parameter(
        500, "samples judged at a time, and real images they are compared with: the first so many test images; as many "
        "more test images are the floor (real against real)", sweep=False, ge=20,
    )  # fmt: skip
    judge_images: int = parameter(
        1000, "images the judge is trained on, the last so many of the training split: others than the GAN's",
        sweep=False, ge=10,
    )  # fmt: skip
    judge_epochs: int = parameter(40, "epochs of the judge at most; validation stops it", sweep=False, ge=1)
    fresh_epochs: int = parameter(10, "epochs of the fresh discriminator at most", sweep=False, ge=1)
    reference_draws: int = parameter(5, "independent draws of each reference", sweep=False, ge=2)
    dtype: Literal["float32", "float64"] = parameter("float32", "precision of training", sweep=False)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if any(b <= a for a, b in pairwise(self.kept)) or self.kept[0] < 0:
            raise ValueError(f"kept: found {self.kept}, allowed: increasing integers >= 0")
        if self.kept[-1] > self.epochs:
            raise ValueError(f"kept: found {self.kept[-1]}, allowed: at most epochs, {self.epochs}")
        if self.batch > self.n_train:
            raise ValueError(f"batch: found {self.batch}, allowed: at most n_train, {self.n_train}")
        return self
