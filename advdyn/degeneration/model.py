"""The parameters and steps of the study `degeneration`."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from math import prod
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from advdyn.study.model import Cost, Step, StudyModel, parameter
from advdyn.study.sizes import holding, itemsize, known

Kind = Literal["gan", "generator", "degenerator", "chain"]
DECODERS = ("identity", "ridge", "ridge-whitened", "mlp")
Decoder = Literal["identity", "ridge", "ridge-whitened", "mlp"]
SYSTEM = (
    "kind", "sigma", "minibatch_feature", "criterion", "loss", "d_steps", "width", "d_width", "latent",
    "batch_normalisation", "n_train", "learning_rate", "beta1", "batch", "epochs", "passes", "chain_passes",
    "fit_pairs", "heldout", "shown",
)  # fmt: skip
ATTACKER = ("pairs", "decoders", "penalties", "decoder_width", "decoder_epochs")
RUNNING = ("root", "device", "dtype")
OVERWRITING = ("degenerator", "generator", "gan", "chain")
FIGURES = (
    "bits", "collapse", "comparison", "architectures", "line", "degenerated", "first_pass", "textures", "table",
    "pairs", "chain", "summary", "training", "saddle",
)  # fmt: skip


def lanes_in(point: Mapping[str, Any]) -> int:
    """The number of runs a job trains together."""
    return prod(len(point[name]) for name in ("sigma", "seeds") if isinstance(point.get(name), list))


def passes_of(at: Mapping[str, Any]) -> int:
    """The passes after which outputs are kept."""
    return len(at["chain_passes" if at["kind"] == "chain" else "passes"])


def outputs_of(at: Mapping[str, Any]) -> float:
    """Bytes of the outputs that a job keeps: of every run and pass one for each original, and the album."""
    return lanes_in(at) * passes_of(at) * at["data_pixels"] * (at["fit_pairs"] + 1.5 * at["heldout"] + 500)


def training_cost(point: Mapping[str, Any]) -> Cost:
    """Passes through both networks, at 15 ms for an update of 64 images on one core; the runs are played one by one."""
    at = known(Model, point)
    updates = at["epochs"] * max(1, at["n_train"] // at["batch"])
    one = 1e-2 + 4.5e-5 * at["batch"] * (at["width"] + at["d_width"] * at["d_steps"]) / 512 * at["data_pixels"] / 784
    runs, size, pixels = lanes_in(at), itemsize(at), at["data_pixels"]
    weights = (2 * pixels + at["width"]) * at["width"] + (pixels + at["d_width"]) * at["d_width"]
    learnt = 0.0 if at["criterion"] == "ignored" else updates * one
    working = 3 * outputs_of(at) + 3 * size * at["n_train"] * pixels + (8 * size + 8 * runs) * weights
    disk = 1e-6 * (outputs_of(at) + 4 * runs * weights)
    return Cost(8 + learnt * runs, 350 + holding(at, size, 160 + 1e-6 * working), 1 + disk)


def measured(at: Mapping[str, Any], sets: float) -> Cost:
    """Ridge decoders, an MLP, randomness and a fresh discriminator for so many sets of outputs, one after another.

    A primal decoder has a Gram matrix of the pixels, a dual one of the pairs.
    """
    pairs, held, pixels = max(at["pairs"]), at["heldout"], at["data_pixels"]
    seconds = 8 + sets * (9e-10 * pixels**3 + pairs * (8e-4 + 3e-5 * at["fresh_epochs"]) + 5e-4 * held)
    seconds += 1e-5 * pairs * at["decoder_epochs"] * ("mlp" in at["decoders"]) * (1 + sets / 6)
    working = outputs_of(at) + 40 * pixels * (pairs + held) + 40 * min(pairs, pixels) ** 2
    return Cost(seconds, 350 + holding(at, itemsize(at), 240 + 1e-6 * working), 1.0)


def measuring_cost(point: Mapping[str, Any]) -> Cost:
    """What is measured: the outputs of every run and pass."""
    at = known(Model, point)
    return measured(at, lanes_in(at) * passes_of(at))


def reference_cost(point: Mapping[str, Any]) -> Cost:
    """What is measured: draws of eight references, and what they are made from."""
    at = known(Model, point)
    return measured(at, 12 * at["reference_draws"])


def classifier_cost(point: Mapping[str, Any]) -> Cost:
    """Passes of a small network through the images; copies of all of them, which show that it altered none."""
    at = known(Model, point)
    working = 1.7e-5 * at["data_samples"] * at["data_pixels"]
    seconds = 6 + 5e-5 * at["classifier_epochs"] * at["n_train"] + 5e-8 * at["data_samples"] * at["data_pixels"]
    return Cost(seconds, 340 + holding(at, 4, 80 + working))


def pictures_cost(base: float, seconds: float, disk: float, *, data: bool) -> Callable[[Mapping[str, Any]], Cost]:
    """The cost of a step that takes the outputs of a run or two, and the images where it needs them."""

    def cost(point: Mapping[str, Any]) -> Cost:
        at = known(Model, point) | {"kind": "chain"}  # which has the most outputs
        working = 3e-6 * outputs_of(at) + 5e-6 * at["n_train"] * at["data_pixels"]
        return Cost(seconds, base + (holding(at, itemsize(at), working) if data else working), disk)

    return cost


def collected(base: float, copies: float, seconds: float, disk: float) -> Callable[[Mapping[str, Any]], Cost]:
    """The cost of a step that holds the collected data of all runs, in so many copies."""

    def cost(point: Mapping[str, Any]) -> Cost:
        at = known(Model, point)
        passes = len({*at["passes"], *at["chain_passes"]})
        size = 4e-6 * at["runs"] * passes * (at["shown"] * at["data_pixels"] + 1000)
        return Cost(seconds + 0.1 * at["jobs"] + 0.02 * size, base + copies * size, disk + 0.5 * size * (disk > 5))

    return cost


FIGURE = collected(290, 2.0, 5.0, 2.0)


def usual(jobs: Sequence[tuple["Model", str]], kinds: Sequence[str]) -> dict[str, int]:
    """Kind to position of its usual run: of the first block of seeds, with the criterion used where there is one.

    Of several the one that has most parameters in common with the other runs of its kind.
    """
    first = min(block for _, block in jobs)
    best: dict[str, tuple[tuple[int, int], int]] = {}
    for i, (model, block) in enumerate(jobs):
        if block != first or model.kind not in kinds:
            continue
        others = [other for other, _ in jobs if other.kind == model.kind]
        common = sum(getattr(other, name) == getattr(model, name) for other in others for name in SYSTEM)
        rank = (int(model.criterion == "ignored"), -common)
        if model.kind not in best or rank < best[model.kind][0]:
            best[model.kind] = (rank, i)
    return {kind: i for kind, (_, i) in best.items()}


def exported(jobs: Sequence[tuple["Model", str]]) -> list[bool]:
    """The run whose data and discriminator are to be overwritten: a degenerator, or else what there is."""
    found = usual(jobs, OVERWRITING)
    first = next((found[kind] for kind in OVERWRITING if kind in found), -1)
    return [i == first for i in range(len(jobs))]


def overwritten(jobs: Sequence[tuple["Model", str]]) -> list[bool]:
    """The runs whose outputs overwrite the copies: that one, and a chain."""
    chain = usual(jobs, ("chain",)).get("chain", -1)
    return [own or i == chain for i, own in enumerate(exported(jobs))]


def illustrated(jobs: Sequence[tuple["Model", str]]) -> list[bool]:
    """The runs that are set beside FGSM: the usual generator and degenerator."""
    kept = usual(jobs, ("generator", "degenerator")).values()
    return [i in kept for i in range(len(jobs))]


class Model(StudyModel):
    """Degenerative adversarial networks (Gontijo Lopes and Deb): what looks like noise, and what is destroyed."""

    name: ClassVar[str] = "degeneration"
    data_sources: ClassVar[tuple[str, ...]] = ("bundled", "directory", "download", "npz")
    steps: ClassVar[Mapping[str, Step]] = {
        "train": Step((*SYSTEM, *RUNNING, "seeds"), "block", training_cost, gpu=lambda _: True),
        "measure": Step(
            (*ATTACKER, "fresh_epochs", *RUNNING), "block", measuring_cost, after=("train",), gpu=lambda _: True,
        ),
        "draw": Step(cost=lambda _: Cost(4.0, 320.0, 1.0)),
        "train_classifier": Step(
            ("n_train", "classifier_epochs", "root"), cost=classifier_cost,
        ),
        "measure_references": Step(
            ("eps", "noise", "fit_pairs", "heldout", "reference_draws", *ATTACKER, "fresh_epochs", *RUNNING),
            cost=reference_cost,
            after=("draw", "train_classifier"), gpu=lambda _: True,
        ),
        "linearise": Step(("root",), cost=lambda _: Cost(6.0, 320.0)),
        "train_line": Step(("line_steps", "root"), cost=lambda p: Cost(5 + 2e-3 * p["line_steps"], 390.0)),
        "export": Step(
            ("n_train", "sigma"), cost=pictures_cost(170, 4.0, 10.0, data=True), after=("train",), takes=exported,
        ),
        "overwrite": Step(
            ("sigma", "overwrite", "root"), cost=pictures_cost(370, 6.0, 15.0, data=False), after=("train", "export"),
            takes=overwritten,
        ),
        "illustrate": Step(
            ("sigma", "eps", "shown", "root"), cost=pictures_cost(370, 6.0, 2.0, data=True),
            after=("train", "train_classifier"), takes=illustrated,
        ),
        "collect": Step(cost=collected(130, 4.0, 5.0, 10.0)),
        "tabulate": Step(cost=collected(180, 2.0, 4.0, 0.5)),
        "assess": Step(cost=collected(200, 2.0, 4.0, 0.5)),
        **{f"plot_{kind}": Step(cost=FIGURE) for kind in FIGURES},
    }  # fmt: skip

    dataset: str = parameter("mnist", "data set, by its name in the configuration", sweep=False)
    kind: Kind = parameter(
        "degenerator",
        "gan: the GAN of `generation` on the images; generator: the same GAN on DANOISE, z from Python's random; "
        "degenerator: Deg(x + sigma u) against DANOISE; chain: a degenerator that overwrites its data at every pass",
    )
    sigma: float = parameter(
        0.5, "standard size of the noise: Deg sees x + sigma u, u uniform in (-1, 1)", "pixel range", ge=0, lane=True
    )
    minibatch_feature: bool = parameter(False, "whether the discriminator sees the standard deviation over its batch")
    criterion: Literal["used", "ignored"] = parameter(
        "used", "ignored: no gradient step is made, of neither network (Proposition 2)"
    )
    loss: Literal["non-saturating", "minimax"] = parameter(
        "non-saturating", "loss of generator or degenerator: -log D, or log(1 - D) as in eq. 1"
    )
    d_steps: int = parameter(1, "updates of the discriminator for one of the other network", ge=1)
    width: int = parameter(
        512, "hidden layers of the degenerator; of a generator the last, its others a quarter and a half of it", ge=4
    )
    d_width: int = parameter(512, "first hidden layer of the discriminator; its second has half of it", ge=2)
    latent: int = parameter(100, "length of the latent vector z of a generator, standard normal", ge=1)
    batch_normalisation: bool = parameter(True, "whether a generator's hidden layers are batch-normalised")
    n_train: int = parameter(3500, "images trained on, the first so many of the training split", ge=2)
    learning_rate: float = parameter(2e-4, "learning rate of Adam, of both networks", gt=0)
    beta1: float = parameter(0.5, "Adam's beta1 (beta2 .999)", ge=0, lt=1)
    batch: int = parameter(64, "images of one update", ge=2)
    epochs: int = parameter(24, "passes through the training images", ge=1)
    passes: list[int] = parameter(
        [1, 15, 24], "passes after which the data are degenerated and measured", "pass", sweep=False, min_length=1
    )
    chain_passes: list[int] = parameter([1, 2, 4, 8, 15, 24], "the same of a chain", "pass", sweep=False, min_length=1)
    shown: int = parameter(16, "images shown", sweep=False, ge=4)

    fit_pairs: int = parameter(
        3500, "pairs (original, output) an attacker may fit on: the first so many training images", sweep=False, ge=20
    )
    pairs: list[int] = parameter(
        [100, 300, 1000, 3500], "pairs the attacker fits on, for the curve; the largest is that of all other numbers",
        sweep=False, min_length=1,
    )  # fmt: skip
    heldout: int = parameter(
        1000, "held-out pairs N on which decoders are scored, and originals of which the right one is picked: the "
        "first so many test images", sweep=False, ge=20,
    )  # fmt: skip
    decoders: list[Decoder] = parameter(
        list(DECODERS), "families of decoders the attacker fits; mlp at the last pass only", sweep=False, min_length=1
    )
    penalties: list[float] = parameter(
        [1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0],
        "penalties of the ridge decoders, over the mean eigenvalue of the Gram matrix", sweep=False, min_length=1,
    )  # fmt: skip
    decoder_width: int = parameter(256, "hidden neurons of the MLP decoder", sweep=False, ge=1)
    decoder_epochs: int = parameter(30, "its epochs at most; validation pairs stop it", sweep=False, ge=1)
    fresh_epochs: int = parameter(5, "epochs of the fresh discriminator at most", sweep=False, ge=1)
    classifier_epochs: int = parameter(40, "epochs of the classifier at most; validation stops it", sweep=False, ge=1)
    eps: float = parameter(0.25, "length of FGSM in the l_inf norm", "pixel range", sweep=False, gt=0)
    noise: float = parameter(
        0.5, "standard deviation of the additive noise that is clipped", "pixel range", sweep=False, gt=0
    )
    reference_draws: int = parameter(3, "independent draws of each reference", sweep=False, ge=2)
    line_steps: int = parameter(3000, "updates of the networks on a line (Figure 6)", sweep=False, ge=10)
    overwrite: Literal["none", "sandbox", "chain"] = parameter(
        "sandbox",
        "none; sandbox: a copy of the data inside the results is overwritten; chain: a copy of a copy, pass by pass",
        sweep=False,
    )
    dtype: Literal["float32", "float64"] = parameter("float32", "precision of training", sweep=False)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in ("passes", "chain_passes", "pairs"):
            values, least = getattr(self, name), 0 if name != "pairs" else 10
            if any(b <= a for a, b in pairwise(values)) or values[0] < least:
                raise ValueError(f"{name}: found {values}, allowed: increasing integers >= {least}")
        for name in ("passes", "chain_passes"):
            if getattr(self, name)[-1] > self.epochs:
                raise ValueError(f"{name}: found {getattr(self, name)[-1]}, allowed: at most epochs, {self.epochs}")
        if self.pairs[-1] > self.fit_pairs:
            raise ValueError(f"pairs: found {self.pairs[-1]}, allowed: at most fit_pairs, {self.fit_pairs}")
        if self.batch > self.n_train:
            raise ValueError(f"batch: found {self.batch}, allowed: at most n_train, {self.n_train}")
        if "identity" not in self.decoders:
            raise ValueError(f"decoders: found {self.decoders}, allowed: lists with identity (untouched data read 0)")
        if len(set(self.decoders)) < len(self.decoders) or len(set(self.penalties)) < len(self.penalties):
            raise ValueError("decoders, penalties: found a value twice, allowed: each once")
        if self.criterion == "ignored" and self.kind in ("gan", "generator"):
            raise ValueError(f"criterion: found 'ignored' with kind {self.kind}, allowed: with degenerator and chain")
        if min(self.penalties) <= 0:
            raise ValueError(f"penalties: found {min(self.penalties)}, allowed: values > 0")
        return self

    def same_as(self) -> dict[str, Any]:
        """A generator sees no data, so no noise is added to it."""
        return {"sigma": 0.0} if self.kind in ("gan", "generator") else {}
