"""Figure 4: adversarial examples beside degenerated data, for the network and for the eye.

Pictures are of the first seed of each run given. They show; what they show is measured over seeds by ``measure``.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import xarray as xr

from advdyn import io, seeds
from advdyn.data.load import Images
from advdyn.degeneration import randomness, systems
from advdyn.errors import InputError
from advdyn.gan import judge

STUDY = "degeneration"
HELDOUT = 2  # part of the outputs that are of test images
PAPER = "Gontijo Lopes and Deb, Degenerative Adversarial Networks, Figure 4"
FGSM = "Goodfellow, Shlens and Szegedy, arXiv:1412.6572"

Bytes = npt.NDArray[np.uint8]


def heldout(outputs: xr.Dataset) -> Bytes:
    """Outputs of the held-out images after the last pass, of the first sigma and seed: (image, pixel)."""
    found = outputs["image_output"].isel(sigma=0, seed=0, passed=-1, image=outputs["part"].values == HELDOUT)
    return np.ascontiguousarray(found.transpose("image", "pixel").values, np.uint8)


def run(
    outputs: Mapping[str, xr.Dataset], classifier: xr.Dataset, images: Images, *, eps: float, shown: int, root: int
) -> xr.Dataset:
    """Held-out images, their adversarial examples, and what each run made of them, judged by one classifier.

    Parameters
    ----------
    outputs
        By kind of run.
    classifier
        See ``classifier.run``; it is also the one that FGSM fools.
    images
        The first so many test images are the held-out ones, as many as each run has outputs of.
    eps
        Length of FGSM in l_inf, in pixel ranges.
    shown
        Pictures, at most as many as there are held-out images.
    root
        Root of the random streams.

    Returns
    -------
    Dataset over picture (original, fgsm, and the kinds), shown and pixel: pictures as bytes, predicted class and
    confidence of each; accuracy and SSIM with the original over all held-out images.

    Raises
    ------
    InputError
        When runs have different numbers of held-out images, or there are fewer test images.
    """
    made = {kind: heldout(dataset) for kind, dataset in outputs.items()}
    numbers = {len(found) for found in made.values()} or {len(images.x_test)}
    if len(numbers) > 1 or not 1 <= max(numbers) <= len(images.x_test):
        raise InputError(
            f"heldout: found outputs of {sorted(numbers)} images, allowed: one number, 1 to {len(images.x_test)}"
        )
    n = numbers.pop()
    kept, labels = min(shown, n), images.y_test[:n]
    original = systems.to_bytes(images.x_test[:n])
    network = judge.of(classifier)
    generator = seeds.generator(root, STUDY, 0, "evaluation")
    adversarial = systems.apply("fgsm", original, generator, eps=eps, judge=network, labels=labels)
    pictures = {"original": original, "fgsm": adversarial, **made}
    said = {name: network.probabilities(systems.floats(values)) for name, values in pictures.items()}
    predicted = np.stack([found.argmax(1) for found in said.values()])
    confidence = np.stack([found.max(1) for found in said.values()])
    likeness = [randomness.ssim(original, values, images.shape) for values in pictures.values()]
    return xr.Dataset(
        {
            "pictures": io.variable(
                ("picture", "shown", "pixel"), np.stack([p[:kept] for p in pictures.values()]), "pixel", "byte", PAPER
            ),
            "predicted": io.variable(
                ("picture", "shown"), predicted[:, :kept].astype(np.int32), "class the classifier sees", "1", PAPER
            ),
            "confidence": io.variable(
                ("picture", "shown"), confidence[:, :kept], "probability it gives to that class", "1", PAPER
            ),
            "true": io.variable(("shown",), labels[:kept].astype(np.int32), "class of the original", "1", PAPER),
            "picture_accuracy": io.variable(
                ("picture",),
                (predicted == labels).mean(1),
                "accuracy of the classifier, all held-out images",
                "1",
                FGSM,
            ),
            "picture_ssim": io.variable(
                ("picture",), likeness, "SSIM with the original, all held-out images", "1", PAPER
            ),
            "picture_images": io.variable((), np.int32(n), "held-out images"),
        },
        {"picture": io.variable(("picture",), list(pictures), "original, its adversarial example, and kinds of run")},
        {"title": "Adversarial examples beside degenerated data", "image_shape": ",".join(map(str, images.shape))},
    )
