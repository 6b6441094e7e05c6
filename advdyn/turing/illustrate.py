"""Pictures of single runs: filters, what they make of an input, and the cloud of neurons in the plane.

Pictures are of the first seed of each run given. They show; they do not prove: what they show is measured over seeds
by ``advdyn.turing.diagnostics``.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr

from advdyn import devices, io
from advdyn import seeds as streams
from advdyn.data.load import Images
from advdyn.turing import cloud, inputs, spatial
from advdyn.turing.cloud import OURS, ROUT, STAGES
from advdyn.turing.inputs import STUDY, Examples
from advdyn.turing.network import Activation

Floats = npt.NDArray[np.floating[Any]]

SHOWN = 16  # filters
AXES = 2
FILTER, POINTS = ("picture", "shown", "pixel"), ("picture", "stage", "neuron", "axis")
EMBEDDED = ("picture", "stage", "embedding_seed", "neuron", "axis")
PIXELS = "pixel range"

# Name to (dims, long name, units, references).
VARIABLES: dict[str, tuple[tuple[str, ...], str, str, str]] = {
    "input_image": (("dataset", "pixel"), "first training example, as the network sees it", PIXELS, ROUT),
    "mean_image": (("dataset", "pixel"), "mean of the training examples, as the network sees them", PIXELS, OURS),
    "filter": (FILTER, "weights of a hidden neuron at the end", "1", ROUT),
    "filter_initial": (FILTER, "weights of a hidden neuron at the start", "1", ROUT),
    "filter_change": (FILTER, "change of the weights of a hidden neuron", "1", ROUT),
    "feature": (FILTER, "first training example times the weights of a hidden neuron, pixel by pixel", PIXELS, ROUT),
    "activation_map": (("picture", "neuron"), "activation of neurons by the first training example, end", "1", ROUT),
    "activation_initial": (
        ("picture", "neuron"), "activation of neurons by the first training example, start", "1", ROUT,
    ),
    "evolution": (
        ("picture", "snapshot", "shown", "pixel"), "change of the weights of a hidden neuron up to a time", "1", ROUT,
    ),
    "evolution_time": (("picture", "snapshot"), "time of a snapshot", "1", ROUT),
}  # fmt: skip
OF_LAYER: dict[str, tuple[tuple[str, ...], str, str, str]] = {
    "embedding": (EMBEDDED, "t-SNE embedding of the neurons' weights", "1", ROUT),
    "embedding_ratio": (
        ("picture", "stage", "embedding_seed"), "larger over smaller variance of the t-SNE embedding", "1", OURS,
    ),
    "pca": (POINTS, "weights of neurons along the two principal axes of their cloud", "1", OURS),
    "embedded_distance": (("picture", "neuron"), "distance of a neuron's weights from the initial ones", "1", ROUT),
}  # fmt: skip
LAYERS = {"": ("U", "hidden layer"), "_v": ("V", "top layer")}


OF_POINT = {
    "net": "net", "control": "control", "sign": "sign of the adversary's term", "inputs": "scale of the inputs",
    "optimiser": "optimiser", "width": "hidden neurons", "n": "training examples", "eta": "step size",
    "duration": "step size times steps", "initial_scale": "standard deviation of the initial weights",
}  # fmt: skip


def name_of(dataset: str, control: str) -> str:
    """What the inputs of a run are called: by their data set, and whether its pixels were permuted."""
    return f"{dataset}, permuted" if control == "permuted-pixels" else dataset


def run(
    records: Sequence[xr.Dataset],
    weights: Sequence[Mapping[str, Floats]],
    images: Mapping[str, Images],
    points: Sequence[Mapping[str, Any]],
    *,
    embedding_seeds: int,
    embedded_neurons: int,
    root: int,
    device: devices.Device,
    dtype: Literal["float32", "float64"],
) -> xr.Dataset:
    """Illustrate jobs of the study.

    Parameters
    ----------
    records, weights, points
        What ``advdyn.turing.training.run`` returned for each job, and the parameters it was given.
    images
        The data sets they were trained on, by name.
    embedding_seeds
        t-SNE embeddings, each from its own random start: one alone may show anything.
    embedded_neurons
        Neurons that are embedded at most, the first ones.
    root
        Root of the random streams.
    device, dtype
        Of training; pictures are made on the CPU from the weights that were stored.

    Returns
    -------
    Dataset over (picture, dataset, stage, embedding_seed, neuron, axis, shown, snapshot, pixel), see VARIABLES and
    OF_LAYER (``_v``: of the top layer). A picture is a lane of a record; ``inputs_of`` says in which ``dataset`` its
    inputs are. NaN where a record has fewer neurons, pixels or snapshots than others, has no trained top layer, or has
    diverged; t-SNE is made of the initial and the final weights, not of their difference.
    """
    pictures = [(k, lane) for k, record in enumerate(records) for lane in range(record.sizes["lane"])]
    data = [
        inputs.examples(
            images[p["dataset"]], net=p["net"], n=p["n"], inputs=p["inputs"], control=p["control"], root=root
        )
        for p in points
    ]
    labels = [name_of(p["dataset"], p["control"]) for p in points]
    kinds = list(dict.fromkeys(labels))
    starts = [streams.integer(root, STUDY, k, "evaluation") % 2**32 for k in range(embedding_seeds)]
    lengths = {
        "picture": len(pictures),
        "dataset": len(kinds),
        "stage": len(STAGES),
        "embedding_seed": embedding_seeds,
        "axis": AXES,
        "neuron": max(min(embedded_neurons, w["U"].shape[-2]) for w in weights),
        "shown": max(min(SHOWN, w["U"].shape[-2]) for w in weights),
        "snapshot": max(record.sizes["snapshot"] for record in records),
        "pixel": max(one.x.shape[1] for one in data),
    }
    described = VARIABLES | {
        f"{name}{layer}": (dims, f"{text}, {word}", unit, source)
        for layer, (_, word) in LAYERS.items()
        for name, (dims, text, unit, source) in OF_LAYER.items()
    }
    out = {name: np.full([lengths[d] for d in dims], np.nan, np.float32) for name, (dims, *_) in described.items()}

    def fill(name: str, place: tuple[int, ...], values: Floats) -> None:
        """Put an array in the corner of the rest of a variable's dimensions."""
        corner: tuple[Any, ...] = (*place, *(slice(size) for size in np.shape(values)))
        out[name][corner] = values

    for k, kind in enumerate(kinds):
        one = data[labels.index(kind)]
        fill("input_image", (k,), one.x[0])
        fill("mean_image", (k,), one.x.mean(0))
    known: dict[tuple[bytes, int], Floats] = {}  # lanes, and records of one width, begin with the same weights

    def embedded(rows: Floats, start: int) -> Floats:
        key = (np.ascontiguousarray(rows).tobytes(), start)
        if key not in known:
            known[key] = cloud.embed(rows, start)
        return known[key]

    for at, (k, lane) in enumerate(pictures):
        record, w, point = records[k], weights[k], points[k]
        for name, values in _hidden(w["U0"][0], w["U"][lane, 0], data[k], point, lengths["neuron"]).items():
            fill(name, (at,), values)
        filters = record["filter"].isel(lane=lane).transpose("snapshot", "shown", "pixel").to_numpy()
        fill("evolution", (at,), (filters - filters[:1])[:, : lengths["shown"]])
        fill("evolution_time", (at,), record["snapshot"].to_numpy())
        for layer, (matrix, _) in LAYERS.items():
            if layer and point["net"] != "full":
                continue
            first, last = w[f"{matrix}0"][0], w[matrix][lane, 0]
            if layer:
                first, last = first.T, last.T
            first, last = first[:embedded_neurons], last[:embedded_neurons]
            for s, rows in enumerate((first, last)):
                for e, start in enumerate(starts):
                    embedding = embedded(rows, start)
                    fill(f"embedding{layer}", (at, s, e), embedding)
                    out[f"embedding_ratio{layer}"][at, s, e] = cloud.eigen_ratio(embedding)
            for s, rows in enumerate((first, last, last - first)):
                fill(f"pca{layer}", (at, s), cloud.pca(rows))
            fill(f"embedded_distance{layer}", (at,), np.linalg.norm(last - first, axis=1))

    shapes = [spatial.image_shape(data[labels.index(kind)].shape) for kind in kinds]
    about = {
        "dataset_of": ([points[k]["dataset"] for k, _ in pictures], "data set"),
        "inputs_of": ([labels[k] for k, _ in pictures], "inputs, as dataset names them"),
        **{name: ([points[k][name] for k, _ in pictures], text) for name, text in OF_POINT.items()},
        "adversary": ([str(records[k]["adversary"].to_numpy()[lane]) for k, lane in pictures], "adversary"),
    } | {
        name: ([float(records[k][name][lane]) for k, lane in pictures], text)
        for name, text in (("adversary_weight", "weight of the adversary's term"), ("penalty", "gradient penalty"))
    }
    coords = {name: io.variable(("picture",), values, text) for name, (values, text) in about.items()}
    coords |= {
        "dataset": io.variable(("dataset",), kinds, "inputs"),
        "image_shape": io.variable(
            ("dataset",), [",".join(map(str, shape or ())) for shape in shapes], "shape of an image"
        ),
        "stage": io.variable(("stage",), list(STAGES), "weights at the start, at the end, and their difference"),
        "embedding_seed": io.variable(("embedding_seed",), np.arange(embedding_seeds), "random start of the embedding"),
    }
    variables = {name: io.variable(dims, out[name], *text) for name, (dims, *text) in described.items()}
    attrs = {"title": "Neurons illustrated", "device": str(devices.resolve(device)), "dtype": dtype}
    return xr.Dataset(variables, coords=coords, attrs=attrs)


def _hidden(initial: Floats, final: Floats, data: Examples, point: Mapping[str, Any], count: int) -> dict[str, Floats]:
    """Filters of a hidden layer, and what its neurons make of the first training example."""
    x = np.asarray(data.x[0], dtype=float)
    activation = Activation(point["activation"])

    def activations(u: Floats) -> Floats:
        return activation.value(torch.from_numpy(np.asarray(u[:count], dtype=float) @ x)).numpy()

    return {
        "filter": final[:SHOWN],
        "filter_initial": initial[:SHOWN],
        "filter_change": final[:SHOWN] - initial[:SHOWN],
        "feature": final[:SHOWN] * x,
        "activation_map": activations(final),
        "activation_initial": activations(initial),
    }
