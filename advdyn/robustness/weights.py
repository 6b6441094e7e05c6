"""Weights of many runs in one safetensors file: nothing pickled, the same bytes from the same weights."""

import json
from collections.abc import Sequence
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from advdyn.atomic import whole
from advdyn.errors import InputError

KEY = "advdyn"  # one key only: the library writes several in random order


def save(path: str | Path, runs: Sequence[nn.Module], identity: str) -> None:
    """Write the weights and buffers of networks of one kind, each tensor stacked over the runs on axis 0.

    Parameters
    ----------
    runs
        In C order of (lane axes, seed).
    identity
        Of the training that made them, see ``advdyn.provenance.identity``.

    Raises
    ------
    ValueError
        When there are no runs, or they are not of one kind.
    """
    states = [run.state_dict() for run in runs]
    if not states or any(state.keys() != states[0].keys() for state in states):
        raise ValueError("weights of no run, or of networks of different kinds")
    stacked = {key: torch.stack([state[key].cpu() for state in states]).contiguous() for key in states[0]}
    about = json.dumps({"identity": identity, "runs": len(states)}, sort_keys=True)
    with whole(path) as part:
        part.write_bytes(safetensors.torch.save(stacked, {KEY: about}))


def load(path: str | Path, identity: str) -> list[dict[str, Tensor]]:
    """The state of every run, in the order in which they were written.

    Raises
    ------
    InputError
        When the file is missing, broken, or not from here, or was made by another training than ``identity``.
    """
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            about = json.loads((file.metadata() or {})[KEY])
            found, count = about["identity"], int(about["runs"])
            stacked = {key: file.get_tensor(key) for key in sorted(file.keys())}
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(
            f"{path}: cannot be read ({' '.join(str(error).split())}); expected weights of this study"
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not written by this study (no entry {KEY!r} in its header)") from error
    if found != identity:
        raise InputError(
            f"{path}: made by training {found}, expected {identity}; make both files again: run the training rule anew"
        )
    if any(tensor.shape[:1] != (count,) for tensor in stacked.values()):
        raise InputError(f"{path}: its tensors do not hold {count} runs, as its header says")
    return [{key: tensor[run].clone() for key, tensor in stacked.items()} for run in range(count)]
