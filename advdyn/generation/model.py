"""The parameters and steps of the study `generation`."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from advdyn.study.model import Cost, Step, StudyModel, parameter
from advdyn.study.sizes import holding, itemsize, known

SYSTEM = (
    "n_train", "latent", "width", "d_width", "batch_normalisation", "loss", "d_steps", "learning_rate", "beta1",
    "batch", "epochs", "kept", "shown",
)  # fmt: skip
RUNNING = ("root", "device", "dtype")
FIGURES = ("samples", "metrics", "discriminator", "classes", "settings", "nearest")


def weights_of(at: Mapping[str, Any]) -> float:
    """Weights of a generator and its discriminator."""
    w, d, pixels = at["width"], at["d_width"], at["data_pixels"]
    return (pixels + at["latent"] / 4 + w) * w + (pixels + d) * d


def training_cost(point: Mapping[str, Any]) -> Cost:
    """Passes through both networks, at 15 ms for an update of 64 images on one core; what is kept, and its copy."""
    at = known(Model, point)
    updates = at["epochs"] * max(1, at["n_train"] // at["batch"])
    one = 1e-2 + 4.5e-5 * at["batch"] * (at["width"] + at["d_width"] * at["d_steps"]) / 512 * at["data_pixels"] / 784
    runs, size, kept = len(at["seeds"]), itemsize(at), len(at["seeds"]) * len(at["kept"])
    working = 1e-6 * (3 * size * at["n_train"] * at["data_pixels"] + (8 * size * runs + 8 * kept) * weights_of(at))
    disk = 4e-6 * kept * weights_of(at)
    return Cost(5 + updates * one * runs, 350 + holding(at, size, working), 1 + disk)


def judge_cost(point: Mapping[str, Any]) -> Cost:
    """Passes of a small network through the images that it learns from."""
    at = known(Model, point)
    working = 1.2e-5 * at["judge_images"] * at["data_pixels"]
    return Cost(5 + 1e-4 * at["judge_epochs"] * at["judge_images"], 330 + holding(at, 4, 60 + working))


def judged(at: Mapping[str, Any], sets: float, generators: float) -> Cost:
    """A fresh discriminator, two-sample tests and neighbours for so many sets of samples, beside some generators."""
    images = at["samples"]
    seconds = 6 + sets * (0.1 + images * (1e-4 + 1e-4 * at["fresh_epochs"] + 1e-7 * at["n_train"]))
    working = 40 * itemsize(at) * images * at["data_pixels"] + 40 * images**2 + 8 * generators * weights_of(at)
    return Cost(seconds, 370 + holding(at, itemsize(at), 50 + 1e-6 * working), 1.0)


def evaluation_cost(point: Mapping[str, Any]) -> Cost:
    """What is judged: every generator kept, of each seed."""
    at = known(Model, point)
    kept = len(at["seeds"]) * len(at["kept"])
    return judged(at, kept, kept)


def reference_cost(point: Mapping[str, Any]) -> Cost:
    """What is judged: draws of four references."""
    at = known(Model, point)
    return judged(at, 4 * at["reference_draws"], 0)


def collected(base: float, copies: float, seconds: float, disk: float) -> Callable[[Mapping[str, Any]], Cost]:
    """The cost of a step that holds the collected data, dense in all that is swept, in so many copies."""

    def cost(point: Mapping[str, Any]) -> Cost:
        at = known(Model, point)
        size = 4e-6 * at["places"] * at["count"] * len(at["kept"]) * (at["shown"] * at["data_pixels"] + 200)
        return Cost(seconds + 0.1 * at["jobs"] + 0.02 * size, base + copies * size, disk + 0.3 * size * (disk > 5))

    return cost


FIGURE = collected(260, 2.0, 5.0, 2.0)


class Model(StudyModel):
    """A generative adversarial network on images (Goodfellow et al.; Srihari), with a judge trained on other images."""

    name: ClassVar[str] = "generation"
    data_sources: ClassVar[tuple[str, ...]] = ("bundled", "directory", "download", "npz")
    steps: ClassVar[Mapping[str, Step]] = {
        "train": Step((*SYSTEM, *RUNNING, "seeds"), "block", training_cost, gpu=lambda _: True),
        "train_judge": Step(
            ("judge_images", "judge_epochs", "root"), cost=judge_cost,
        ),
        "evaluate": Step(
            ("n_train", "samples", "fresh_epochs", *RUNNING), "block", evaluation_cost,
            after=("train", "train_judge"), gpu=lambda _: True,
        ),
        "evaluate_references": Step(
            ("n_train", "samples", "fresh_epochs", "reference_draws", *RUNNING),
            cost=reference_cost,
            after=("train_judge",), gpu=lambda _: True,
        ),
        "collect": Step(cost=collected(130, 4.0, 4.0, 10.0)),
        "assess": Step(cost=collected(200, 2.0, 4.0, 0.5)),
        **{f"plot_{kind}": Step(cost=FIGURE) for kind in FIGURES},
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
