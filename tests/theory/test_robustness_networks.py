"""Networks and their weights: names, shapes, a user's own network and everything that can be wrong with it."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from advdyn.attacks.classifier import Dense, of
from advdyn.data import npz, splits
from advdyn.data.load import Images
from advdyn.errors import InputError
from advdyn.robustness import names, networks, training, weights
from advdyn.robustness.names import Architecture

ROOT = Path(__file__).resolve().parents[2]
RESIDUAL = str(ROOT / "docs" / "examples" / "residual.py")


# --- names --------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("softmax", Architecture("softmax", 0, 0)),
        ("mlp-16", Architecture("mlp", 16, 1)),
        ("mlp-256x3", Architecture("mlp", 256, 3)),
        ("cnn", Architecture("cnn", 0, 2)),
        ("residual", Architecture("own", 0, -1)),
    ],
)
def test_names(name, expected):
    assert names.parse(name) == expected


@pytest.mark.parametrize(
    "name", ["mlp-0", "mlp-", "mlp-16x0", "mlp-16x", "mlp-016", "mlp-x3", "mlp-a", "", "a b", "../x"]
)
def test_names_that_are_none(name):
    with pytest.raises(InputError, match=r"model: found '.*', allowed: softmax, mlp-<width>, mlp-<width>x<depth>, cnn"):
        names.parse(name)


def test_names_of_a_users_networks():
    assert names.parse("residual", {"residual"}).kind == "own"
    with pytest.raises(InputError, match=r"model: found 'resdual', allowed: .* under modules \(residual\)"):
        names.parse("resdual", {"residual"})
    with pytest.raises(InputError, match="modules: found 'cnn', which names a network of this study"):
        names.parse("cnn", {"cnn"})


def test_names_import_without_torch():
    code = "import sys, advdyn.robustness.names; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


# --- the study's networks --------------------


@pytest.mark.parametrize(("name", "widths"), [("softmax", []), ("mlp-5", [5]), ("mlp-5x3", [5, 5, 5])])
def test_mlps_are_chains_that_attacks_take_apart(name, widths):
    network = networks.build(name, (4, 6), 3)
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    assert [layer.out_features for layer in linear] == [*widths, 3]
    assert linear[0].in_features == 24
    assert {type(layer) for layer in network} <= {nn.Linear, nn.ReLU}
    assert isinstance(of(network.eval(), 24), Dense)


@pytest.mark.parametrize("shape", [(12, 12), (28, 28), (3, 16, 16), (1, 13, 17)])
def test_cnn_takes_flat_images(shape):
    network = networks.build("cnn", shape, 4)
    x = torch.rand(5, int(np.prod(shape)))
    assert network(x).shape == (5, 4)
    assert sum(isinstance(layer, nn.Conv2d) for layer in network) == 2


@pytest.mark.parametrize("shape", [(784,), (11, 28), (3, 28, 8), (1, 3, 28, 28)])
def test_cnn_refuses_other_images(shape):
    with pytest.raises(InputError, match=r"cnn: found images of shape .* at least 12"):
        networks.build("cnn", shape, 4)


def test_initial_weights_depend_on_their_seed_only():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    a, b, c = (networks.initialise("mlp-7", (5, 5), 3, seed, torch.float64).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not torch.equal(a["0.weight"], c["0.weight"])
    assert a["0.weight"].dtype == torch.float64


# --- a user's network --------------------

GOOD = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, pixels, classes):
        super().__init__()
        self.layer = nn.Linear(pixels, classes)
    def forward(self, x):
        return self.layer(x.flatten(1))

def build(shape, classes):
    return Net(shape[0] * shape[1], classes)
"""


def own(tmp_path, text=GOOD, **changed):
    for old, new in changed.items():
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "own.py"
    path.write_text(text)
    return str(path)


def forward(tmp_path, code):
    return own(tmp_path, GOOD.replace("return self.layer(x.flatten(1))", code))


def test_a_users_network_takes_flat_images_and_keeps_its_own_names(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file = own(tmp_path)
    network = networks.initialise("mine", (4, 5), 3, 0, torch.float64, file)
    assert list(network.state_dict()) == ["module.layer.weight", "module.layer.bias"]
    x = torch.rand(6, 20, dtype=torch.float64)
    torch.testing.assert_close(network(x), network.module(x.view(6, 4, 5)))
    assert network.training
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own.py"]  # no bytecode beside it
    again = networks.initialise("mine", (4, 5), 3, 0, torch.float64, file)
    assert torch.equal(network.module.layer.weight, again.module.layer.weight)
    # an edit is seen, in the same process and second
    own(tmp_path, GOOD.replace("self.layer(x.flatten(1))", "2 * self.layer(x.flatten(1))"))
    torch.testing.assert_close(networks.initialise("mine", (4, 5), 3, 0, torch.float64, file)(x), 2 * network(x))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import nothing_of_this_name", "own.py, line 1: import failed: ModuleNotFoundError: No module named"),
        ("x = 1\n1 / 0", "own.py, line 2: import failed: ZeroDivisionError: division by zero"),
        ("x = 1\ny = (", "own.py, line 2: import failed: SyntaxError"),
        ("raise SystemExit(3)", "own.py, line 1: import failed: SystemExit: 3"),
        ("def make(shape, classes): pass", "has no function build; expected build"),
        ("build = 3", "has no function build"),
        ("def build(shape): pass", r"build\(\(4, 5\), 3\) failed: TypeError"),
        ("def build(shape, classes):\n    raise ValueError('no\\nway')", "own.py, line 2: build.*ValueError: no way"),
        ("def build(shape, classes): return 3", "build returned type int; expected a torch.nn.Module"),
        (
            "from torch import nn\ndef build(s, c): return nn.Sequential(nn.Flatten(), nn.LazyLinear(c))",
            "1.weight, 1.bias: not initialised",
        ),
        ("from torch import nn\ndef build(s, c): return nn.Flatten()", "no parameters to train"),
    ],
)  # fmt: skip
def test_a_users_file_that_makes_no_network(tmp_path, code, message):
    (tmp_path / "own.py").write_text(code)
    with pytest.raises(InputError, match=message) as caught:
        networks.build("mine", (4, 5), 3, str(tmp_path / "own.py"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("return self.layer(x.flatten(1))[:, :2]", r"output of shape \(3, 2\); expected shape \(3, 3\)"),
        ("return (self.layer(x.flatten(1)), x)", r"output of type tuple; expected shape \(3, 3\)"),
        ("return self.layer(x.flatten(1)).double()", "gave torch.float64 output; expected torch.float32"),
        ("return self.layer(x.flatten(1)).argmax(1)[:, None].expand(-1, 3)", "gave torch.int64 output"),
        ("return self.layer(x.flatten(1)).log()", "NaN or infinite on images"),
        ("return self.layer(x.flatten(1).detach())", "not differentiable with respect to the images"),
        ("return self.layer(x.flatten(1)).detach()", "not differentiable with respect to the images"),
        ("return self.layer((0 * x.flatten(1)).sqrt() + 1)", "gradient of the output .* NaN or infinite"),
        ("z = self.layer(x.flatten(1)); return z - z.mean(0)", "depends on the other images of its batch"),
        ("z = self.layer(x.flatten(1)); return z + torch.rand_like(z)", "or on chance"),
        ("return self.layer(x)", r"own.py, line 10: images of shape \(3, 4, 5\) failed: RuntimeError"),
    ],
)
def test_a_users_network_that_cannot_be_trained_or_attacked(tmp_path, code, message):
    with pytest.raises(InputError, match=message) as caught:
        networks.build("mine", (4, 5), 3, forward(tmp_path, code))
    assert "\n" not in str(caught.value)


def test_a_users_file_that_is_missing(tmp_path):
    with pytest.raises(InputError, match=r"none.py: not found; expected a Python file with a function build"):
        networks.build("mine", (4, 5), 3, str(tmp_path / "none.py"))


def test_a_users_network_draws_from_its_seed_only(tmp_path):
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    networks.initialise("mine", (4, 5), 3, 7, torch.float32, own(tmp_path))
    assert torch.equal(torch.random.get_rng_state(), before)


# --- weights --------------------


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_weights_round_trip(tmp_path):
    file = tmp_path / "weights.safetensors"
    for name, module_file in (("mlp-7x2", None), ("cnn", None), ("residual", RESIDUAL)):
        shape = (3, 16, 16)
        made = [networks.initialise(name, shape, 3, seed, torch.float32, module_file) for seed in range(3)]
        weights.save(file, made, "identity")
        states = weights.load(file, "identity")
        assert all(equal(state, network.state_dict()) for state, network in zip(states, made, strict=True))
        restored = networks.restore(name, shape, 3, states, torch.float32, module_file)
        x = torch.rand(4, 768)
        assert all(torch.equal(a(x), b.eval()(x)) for a, b in zip(restored, made, strict=True))
        assert not any(network.training for network in restored)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]


def test_same_weights_same_bytes(tmp_path):
    for name in ("a", "b"):
        weights.save(tmp_path / name, [networks.initialise("mlp-7x2", (5, 5), 3, 0)], "x")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_weights_of_another_training_are_refused(tmp_path):
    weights.save(tmp_path / "w", [networks.initialise("softmax", (5, 5), 3, 0)], "one")
    with pytest.raises(InputError, match="made by training one, expected two"):
        weights.load(tmp_path / "w", "two")


def _foreign(path):
    safetensors.torch.save_file({"a": torch.zeros(2)}, path)


def _other_key(path):
    path.write_bytes(safetensors.torch.save({"a": torch.zeros(2)}, {"advdyn": "[]"}))


def _too_few(path):
    about = {"advdyn": json.dumps({"identity": "x", "runs": 3})}
    path.write_bytes(safetensors.torch.save({"a": torch.zeros(2)}, about))


def _cut(path):
    weights.save(path, [networks.initialise("softmax", (5, 5), 3, 0)], "x")
    path.write_bytes(path.read_bytes()[:-40])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "cannot be read"),
        (lambda path: path.write_bytes(b"nothing of the kind"), "cannot be read"),
        (lambda path: path.write_bytes(b""), "cannot be read"),
        (_cut, "cannot be read"),
        (_foreign, "not written by this study"),
        (_other_key, "not written by this study"),
        (_too_few, "do not hold 3 runs"),
    ],
)
def test_broken_and_foreign_files_are_refused(tmp_path, make, message):
    make(tmp_path / "w")
    with pytest.raises(InputError, match=message) as caught:
        weights.load(tmp_path / "w", "x")
    assert "\n" not in str(caught.value)


def test_weights_of_another_network_are_refused():
    state = networks.build("mlp-5", (5, 5), 3).state_dict()
    with pytest.raises(InputError, match="weights are those of another network") as caught:
        networks.restore("mlp-6", (5, 5), 3, [state])
    assert "\n" not in str(caught.value)


def test_networks_of_different_kinds_do_not_share_a_file(tmp_path):
    with pytest.raises(ValueError, match="different kinds"):
        weights.save(tmp_path / "w", [networks.build(name, (5, 5), 3) for name in ("softmax", "mlp-5")], "x")


# --- the worked example of docs/own-network.md --------------------


def colours(tmp_path, n_train=400, n_test=40):
    spec = importlib.util.spec_from_file_location("colours", ROOT / "docs" / "examples" / "colours.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.write(tmp_path / "colours.npz", n_train, n_test)
    return str(tmp_path / "colours.npz")


def test_the_example_images_are_what_the_study_reads(tmp_path):
    data = npz.dataset(colours(tmp_path))
    assert data.attrs["image_shape"] == "3,16,16"
    assert np.unique(data["label"]).tolist() == [0, 1, 2, 3]


def test_the_example_network_trains_with_its_normalisation_inside(tmp_path):
    arrays = npz.read(colours(tmp_path))
    rows = splits.order(arrays["y_train"])
    x = (arrays["x_train"][rows] / 255).reshape(400, -1).astype(np.float32)
    y = arrays["y_train"][rows].astype(np.int64)
    images = Images(x[:350], y[:350], x[350:], y[350:], x[:0], y[:0], (3, 16, 16))
    found, (network,) = training.run(
        images, module_file=RESIDUAL, model="residual", training="fgsm", eps_train=0.01, n_train=350, clip_train=True,
        mix=0.5, train_steps=1, train_step=1.0, optimiser="adam", learning_rate=1e-2, momentum=0.0, weight_decay=0.0,
        batch=50, epochs=6, least_updates=0, early_stopping="none", patience=1, root=0, device="cpu",
        dtype="float32", seeds=[0],
    )  # fmt: skip
    assert not found["diverged"].any()
    assert float(found["train_loss"][0, -1]) < 0.8 * float(found["train_loss"][0, 0])
    # the first thing done to a pixel is the normalisation, and it is in the weights' file
    state = network.state_dict()
    assert state["module.0.mean"].shape == (3, 1, 1)
    first = network.module[0](torch.as_tensor(x[:50]).view(50, 3, 16, 16))
    torch.testing.assert_close(first, (torch.as_tensor(x[:50]).view(50, 3, 16, 16) - 0.5) / 0.25)
