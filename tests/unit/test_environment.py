"""What jobs inherit: one thread, and products that do not depend on where in memory a matrix lies."""

import os
import subprocess
import sys

import pytest
import torch
from checkouts import ROOT

from advdyn.environment import ARITHMETIC, prepare

PRODUCTS = """
import numpy as np, torch
torch.set_num_threads(1)

def at(a, offset):
    room = np.empty(a.nbytes + 128, np.uint8)
    start = -room.ctypes.data % 64 + offset
    there = room[start : start + a.nbytes].view(a.dtype).reshape(a.shape)
    there[...] = a
    return torch.from_numpy(there)

found, rng = 0, np.random.default_rng(0)
for n, k, m in ((7, 13, 11), (64, 784, 32), (100, 30, 1), (33, 100, 64)):
    for dtype in (np.float32, np.float64):
        a, b = rng.standard_normal((n, k)).astype(dtype), rng.standard_normal((k, m)).astype(dtype)
        for f in (lambda x, y: x @ y, lambda x, y: y.T @ x.T, lambda x, y: x @ y[:, 0]):
            first = f(at(a, 0), at(b, 0))
            found += any(not torch.equal(first, f(at(a, offset), at(b, 48 - offset))) for offset in (8, 16, 32, 40))
print(found)
"""


def differing(environment):
    """Number of products, of 24, that come out differently somewhere else in memory."""
    inherited = {name: value for name, value in os.environ.items() if name not in ARITHMETIC}
    done = subprocess.run(
        [sys.executable, "-c", PRODUCTS], env=inherited | environment, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="this torch has no MKL, whose setting is tested")
def test_a_product_does_not_depend_on_where_in_memory_its_matrices_lie():
    assert differing(ARITHMETIC) == 0
    if differing({}) == 0:  # control: without the setting it does
        pytest.skip("MKL on this processor does not depend on memory even without the setting")


def test_every_job_has_one_thread_and_the_code_of_the_checkout(monkeypatch):
    for name in (*ARITHMETIC, "PYTHONPATH"):
        monkeypatch.setenv(name, "before")
    prepare(str(ROOT))
    assert os.environ["PYTHONPATH"].split(os.pathsep)[:2] == [str(ROOT), "before"]
    assert {name: os.environ[name] for name in ARITHMETIC} == ARITHMETIC
