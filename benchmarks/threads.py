"""Why a job has one thread: training with one and with two, and two jobs of one thread beside each other.

Run from the checkout: python benchmarks/threads.py
Wall time of a training, without the start of its process; the bytes compared are those of the trained weights. Give it
two idle cores.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from advdyn.environment import ARITHMETIC, THREADS

CASES = {"softmax": (32, 20), "mlp-256": (50, 10), "cnn": (50, 2)}  # images of a batch, epochs of FGSM training
IMAGES = 3500


def train(model: str, threads: int) -> None:
    """Print wall seconds and the digest of the weights of one training."""
    import torch
    import training as bench  # type: ignore[import-not-found]  # the benchmark of training, in this folder

    from advdyn.robustness import training

    torch.set_num_threads(threads)
    x, y = bench.bundled(IMAGES)
    batch, epochs = CASES[model]

    def trained(epochs: int) -> tuple[float, str]:
        made = bench.runs(model, 1, "cpu")
        start = time.perf_counter()
        training.train(made, training.Data(x, y, x[:0], y[:0]), bench.plan("fgsm", batch, epochs), 10, batched=False)
        taken = time.perf_counter() - start
        weights = b"".join(p.detach().numpy().tobytes() for p in made[0].network.parameters())
        return taken, hashlib.sha256(weights).hexdigest()

    trained(1)  # warms up
    print(*trained(epochs))


def processes(model: str, threads: int, beside: int) -> list[tuple[float, str]]:
    """What so many processes at once, of so many threads each, print."""
    environment = os.environ | ARITHMETIC | dict.fromkeys(THREADS, str(threads))
    command = [sys.executable, __file__, "--model", model, "--threads", str(threads)]
    started = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(beside)]
    said = [process.communicate()[0].split() for process in started]
    if any(process.returncode for process in started):
        sys.exit(f"{model} with {threads} threads failed")
    return [(float(seconds), digest) for seconds, digest in said]


def main() -> None:
    """Print, for each network, what a second thread gains, what a second job gains, and whether bytes change."""
    parser = argparse.ArgumentParser(description="Why a job has one thread.")
    parser.add_argument("--model", choices=CASES)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    if given.model:
        train(given.model, given.threads)
        return
    print(f"{'network':<10} {'one thread s':>13} {'two threads':>12} {'two jobs':>9}  bytes with two threads")
    for model in CASES:
        (one, digest), *_ = processes(model, 1, 1)
        (two, other), *_ = processes(model, 2, 1)
        both = processes(model, 1, 2)
        jobs = max(seconds for seconds, _ in both)
        same = "the same" if other == digest else "others"
        print(f"{model:<10} {one:>13.2f} {one / two:>11.2f}x {2 * one / jobs:>8.2f}x  {same}", flush=True)
        if {found for _, found in both} != {digest}:
            sys.exit(f"{model}: one thread gave other bytes beside another job")


if __name__ == "__main__":
    main()
