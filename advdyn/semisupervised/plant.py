"""Whether a training depends on labels that it must not see: it is repeated with false ones planted."""

from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from advdyn import devices, io
from advdyn import seeds as streams
from advdyn.data.load import Images
from advdyn.errors import InputError
from advdyn.semisupervised import labels, training

SEED = 0  # of the trainings compared
CHECKPOINTS = 3  # times at which validation and test images are predicted along the way, if there are so many updates
PLANTED = ("pool labels", "validation and test labels", "validation and test images", "labels")


def run(
    images: Images,
    *,
    n_labels: int,
    n_pool: int,
    eps: float,
    xi: float,
    alpha: float,
    width: int,
    planted_updates: int,
    root: int,
    device: devices.Device,
    dtype: Literal["float32", "float64"],
) -> xr.Dataset:
    """Train along virtual adversarial directions with true data, and with each of PLANTED.

    The labelled images are chosen once, on true labels: somebody labelled these, and no other.

    Parameters
    ----------
    images, n_labels, n_pool, eps, xi, alpha, width, root, device, dtype
        As in ``training.run``.
    planted_updates
        Updates of each training.

    Returns
    -------
    Dataset
        ``planted_difference`` (planted): the largest |difference| of any final weight from the training with true
        data. ``pool labels``: every unlabelled image has a false label; ``validation and test labels``: all of them
        are false; ``validation and test images`` are noise; ``labels``: those of the labelled images exchanged among
        them, the control, which must differ.

    Raises
    ------
    InputError
        As ``training.run``.
    """
    if n_pool > len(images.x_train):
        raise InputError(f"n_pool: found {n_pool}, allowed: 1 to {len(images.x_train)}, the training images there are")
    chosen = labels.choose(images.y_train[:n_pool], n_labels, streams.generator(root, training.STUDY, SEED, "data"))
    settings = training.Settings(
        training="virtual", eps=eps, power_iterations=1, xi=xi, alpha=alpha, width=width, batch_normalisation=False,
        learning_rate=1e-3, decay="linear", batch_labelled=64, batch_pool=128, updates=planted_updates,
        checkpoints=min(CHECKPOINTS, planted_updates),
    )  # fmt: skip

    def final(given: Images) -> training.Arrays:
        _, weights = training.fit(
            given, chosen[None], settings, n_pool=n_pool, root=root, device=device, dtype=dtype, seeds=[SEED]
        )
        return {name: value for name, value in weights.items() if name.startswith("network/")}

    true = final(images)
    differences = []
    for name in PLANTED:
        other = final(planted(images, name, chosen, streams.generator(root, training.STUDY, SEED, "evaluation")))
        differences.append(max(float(np.abs(other[key] - value).max()) for key, value in true.items()))
    return xr.Dataset(
        {
            "planted_difference": io.variable(
                ("planted",), differences, "largest |difference| of a final weight from the training with true data"
            )
        },
        coords={"planted": io.variable(("planted",), list(PLANTED), "what is false")},
        attrs={
            "title": "Trainings with planted labels and images",
            "device": devices.resolve(device).type,
            "dtype": dtype,
        },
    )


def planted(images: Images, name: str, labelled: npt.NDArray[np.int64], generator: np.random.Generator) -> Images:
    """``images`` with what ``name`` says made false (see PLANTED); the images given are not changed."""
    classes = int(images.y_train.max()) + 1

    def false(y: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Another class for every image."""
        return (y + generator.integers(1, classes, len(y))) % classes

    if name == "pool labels":
        y = false(images.y_train)
        y[labelled] = images.y_train[labelled]
        return replace(images, y_train=y)
    if name == "validation and test labels":
        return replace(images, y_validation=false(images.y_validation), y_test=false(images.y_test))
    if name == "validation and test images":
        noise = (generator.random(x.shape).astype(x.dtype) for x in (images.x_validation, images.x_test))
        return replace(images, x_validation=next(noise), x_test=next(noise))
    y = images.y_train.copy()
    y[labelled] = np.roll(y[labelled], 1)
    return replace(images, y_train=y)
