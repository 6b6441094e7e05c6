"""Where tensors live. A device that was asked for by name is used, or it is an error."""

from typing import Literal

import torch

from advdyn.errors import DeviceError

Device = Literal["auto", "cpu", "cuda"]
DTYPES = {"float32": torch.float32, "float64": torch.float64}


def resolve(device: Device, threads: int = 1) -> torch.device:
    """The torch device of this job; on the CPU, torch is held to ``threads`` threads.

    Raises
    ------
    DeviceError
        When "cuda" is asked for and torch sees no CUDA device: never a silent fallback.
    """
    torch.set_num_threads(threads)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise DeviceError("device: cuda was asked for, but torch sees no CUDA device here; allowed: auto, cpu")
    return torch.device(device)


def batches(runs: int, device: torch.device) -> list[list[int]]:
    """The runs of a job that are computed as one batch of tensors: all on a GPU, each by itself on the CPU.

    On the CPU a batch is no faster, and a run by itself is the same to the last bit whatever else the job trains. On a
    GPU a batch takes hardly longer than a run; there a run depends on its batch by rounding, which training amplifies.
    """
    if device.type == "cpu":
        return [[run] for run in range(runs)]
    return [list(range(runs))] if runs else []
