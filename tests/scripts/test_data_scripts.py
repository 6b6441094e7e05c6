"""Each script that makes data, run with a stand-in for the object that Snakemake gives it."""

import functools
import hashlib
import http.server
import json
import runpy
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from advdyn import io
from advdyn.data import download, files, idx
from advdyn.data.load import load

ROOT = Path(__file__).resolve().parents[2]


class Named(list[str]):
    """Files by number and by name, as Snakemake has them."""

    def __init__(self, *numbered: str, **named: Any) -> None:
        super().__init__([*numbered, *(file for file in named.values() if isinstance(file, str))])
        self.__dict__.update(named)


def run(name: str, folder: Path, point: dict[str, Any], output: Named | None = None, **inputs: str) -> Path:
    script = ROOT / "scripts" / f"{name}.py"
    stand_in = SimpleNamespace(
        input=Named(**inputs, code=[str(script), str(ROOT / "advdyn" / "io.py")]),
        output=output or Named(str(folder / "data.nc")),
        log=[str(folder / f"{name}.log")],
        params=SimpleNamespace(point=point),
    )
    runpy.run_path(str(script))["main"](stand_in)
    return folder / "data.nc"


@pytest.fixture
def idx_files(tmp_path: Path) -> dict[str, str]:
    folder = tmp_path / "published"
    folder.mkdir()
    for name, n in (("train", 24), ("t10k", 6)):
        pixels = np.arange(n * 4).astype(np.uint8).reshape(n, 2, 2)
        idx.write(folder / f"{name}-images-idx3-ubyte.gz", pixels)
        idx.write(folder / f"{name}-labels-idx1-ubyte.gz", (np.arange(n) % 2).astype(np.uint8))
    return files.directory_files(str(folder))


def test_import_bundled(tmp_path: Path) -> None:
    path = run("import_bundled", tmp_path, {})
    images = load(path)
    assert [len(y) for y in (images.y_train, images.y_validation, images.y_test)] == [3500, 500, 1000]
    attrs = io.read(path).attrs
    assert attrs["parameters"] == "{}"
    assert "numpy" in json.loads(attrs["versions"])
    assert (tmp_path / "import_bundled.log").is_file()


def test_import_directory(tmp_path: Path, idx_files: dict[str, str]) -> None:
    images = load(run("import_directory", tmp_path, {}, **idx_files))
    assert [len(y) for y in (images.y_train, images.y_validation, images.y_test)] == [22, 2, 6]
    assert images.shape == (2, 2)


def test_import_npz(tmp_path: Path) -> None:
    x = np.linspace(0, 1, 40).reshape(20, 2)
    np.savez(tmp_path / "own.npz", x_train=x, y_train=np.arange(20) % 2, x_test=x, y_test=np.arange(20) % 2)
    images = load(run("import_npz", tmp_path, {}, npz=str(tmp_path / "own.npz")))
    assert [len(y) for y in (images.y_train, images.y_validation, images.y_test)] == [18, 2, 20]


def test_a_users_mistake_is_one_line_in_the_log(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        run("import_npz", tmp_path, {}, npz=str(tmp_path / "none.npz"))
    log = (tmp_path / "import_npz.log").read_text()
    assert "none.npz" in log
    assert "Traceback" not in log
    assert not (tmp_path / "data.nc").exists()


def test_sample_gaussian(tmp_path: Path) -> None:
    point = {
        "dimension": 5, "n_train": 4, "n_validation": 3, "n_test": 2,
        "labels": "teacher", "unit_norm": True, "root": 0, "seed": 0,
    }  # fmt: skip
    path = run("sample_gaussian", tmp_path, point)
    images = load(path)
    assert images.x_train.shape == (4, 5)
    assert io.point_of(io.read(path)) == point


def test_sample_mixture(tmp_path: Path) -> None:
    point = {"prior": 0.5, "rho": 1.0, "v1": 1.0, "v2": 1.0, "dimension": 5, "n": 6, "root": 0, "seed": 0}
    assert load(run("sample_mixture", tmp_path, point)).x_train.shape == (6, 5)


def test_a_setting_that_no_function_reads_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="typo"):
        run("import_bundled", tmp_path, {"typo": 1})


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def mirror(idx_files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    folder = Path(idx_files["train_images"]).parent
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_download_mnist_then_import(
    tmp_path: Path, idx_files: dict[str, str], mirror: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {key: hashlib.sha256(Path(file).read_bytes()).hexdigest() for key, file in idx_files.items()}
    monkeypatch.setattr(download, "fetch", functools.partial(download.fetch, sha256=known))
    output = Named(**{key: str(tmp_path / "mnist" / name) for key, name in files.PUBLISHED.items()})
    run("download_mnist", tmp_path, {"mirrors": [mirror]}, output)
    for file in output:
        Path(file).unlink()  # as Snakemake does before a job runs again
    run(
        "download_mnist", tmp_path, {"mirrors": ["http://127.0.0.1:1"]}, output
    )  # from the cache: nothing answers there
    for key, file in idx_files.items():
        assert Path(getattr(output, key)).read_bytes() == Path(file).read_bytes()
    images = load(run("import_directory", tmp_path, {}, **{key: getattr(output, key) for key in files.PUBLISHED}))
    assert images.x_train.shape == (22, 4)


def test_a_failed_download_keeps_no_output(tmp_path: Path, mirror: str) -> None:
    """The mirror's files are not MNIST's: the checksums say so."""
    output = Named(**{key: str(tmp_path / "mnist" / name) for key, name in files.PUBLISHED.items()})
    with pytest.raises(SystemExit):
        run("download_mnist", tmp_path, {"mirrors": [mirror]}, output)
    assert not any(Path(file).exists() for file in output)
    log = (tmp_path / "download_mnist.log").read_text()
    assert "could not be downloaded" in log
    assert "wrong checksum" in log
