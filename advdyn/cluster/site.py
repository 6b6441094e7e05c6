"""The facts of a Slurm cluster: profiles/slurm/site.yaml, the one file that users edit."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from advdyn.study.errors import Words, wrong
from advdyn.study.reading import read

Name = Annotated[str, StringConstraints(pattern=r"^[\w.-]+$")]
MODEL = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.]+$")]  # what the executor plugin takes
TIME = r"[1-9]\d*[mhd]"


class Partition(BaseModel):
    """What a partition offers; a job goes to one that it fits into. All keys may be left out: no limit.

    The keys are those of the executor plugin's partition file, which this file is, too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    max_runtime: int | Annotated[str, StringConstraints(pattern=f"^{TIME}$")] | None = Field(
        None, description="longest job: minutes, or a text like 12h or 2d"
    )
    max_mem_mb: int | None = Field(None, gt=0, description="most memory of a job in MB")
    max_threads: int | None = Field(None, gt=0, description="most cores of a job")
    max_gpu: int = Field(0, ge=0, description="most GPUs of a job; 0 is a partition for CPUs")
    available_gpu_models: list[Name] | None = Field(None, description="models of its GPUs, where it matters")

    @property
    def minutes(self) -> float:
        """The longest job, in minutes."""
        return math.inf if self.max_runtime is None else minutes(self.max_runtime)

    def takes(self, memory: int, runtime: int, gpu: bool) -> bool:
        """Whether a job of so many MB and minutes may go there; one without a GPU goes anywhere if it must."""
        return memory <= (self.max_mem_mb or math.inf) and runtime <= self.minutes and (self.max_gpu > 0) >= gpu


class Site(BaseModel):
    """The facts of a cluster."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    account: Name | None = Field(None, description="a text, what jobs are charged to (sbatch --account), or null")
    qos: Name | None = Field(None, description="quality of service of all jobs (sbatch --qos), or null")
    gpu_request: Literal["gpu", "gres"] = Field("gpu", description="how a GPU is asked for: sbatch --gpus or --gres")
    gpu_model: MODEL | None = Field(None, description="model of the GPU asked for (letters, digits, _ and .), or null")
    partitions: dict[str, Partition] = Field(min_length=1, description="name of a partition to what it offers")

    @property
    def gpus(self) -> bool:
        """Whether any partition has GPUs: training that may use one then asks for it."""
        return any(partition.max_gpu for partition in self.partitions.values())

    def resources(self) -> dict[str, str]:
        """Resources that every job of this site names, for the executor plugin."""
        named = {"slurm_account": self.account, "qos": self.qos}
        return {name: value for name, value in named.items() if value is not None}

    def within(self, memory: int, runtime: int, gpu: bool, attempt: int) -> tuple[int, int]:
        """Memory (MB) and time (minutes) of an attempt: so many times the first, within a partition that took that.

        Beyond all limits the plugin would fall back to the cluster's default partition, where a job may wait for ever.
        """
        took = [one for one in self.partitions.values() if one.takes(memory, runtime, gpu)]
        more = [
            (min(attempt * memory, one.max_mem_mb or attempt * memory), min(attempt * runtime, one.minutes))
            for one in took
        ] or [(attempt * memory, attempt * runtime)]
        found = max(more)
        return int(found[0]), int(found[1])

    def gpu(self) -> dict[str, Any]:
        """Resources that a job with a GPU names."""
        if self.gpu_request == "gres":
            return {"gres": ":".join(filter(None, ["gpu", self.gpu_model, "1"]))}
        return {"gpu": 1} | ({"gpu_model": self.gpu_model} if self.gpu_model else {})


def load(file: str | Path) -> Site:
    """Read and check a site file.

    Raises
    ------
    ConfigError
        One line with file and line, key, what was found and what is allowed.
    """
    tree = read(file)
    try:
        return Site(**tree.data)
    except ValidationError as error:
        problem = error.errors()[0]
        place = [str(part) for part in problem["loc"]]
        while place and not tree.origins.get(tuple(place)):
            place.pop()  # pydantic names the member of a union, too
        found = Words("nothing") if problem["type"] == "missing" else problem["input"]
        if problem["type"] == "extra_forbidden":
            found = Words("an unknown key")
        key = ".".join(place or [str(problem["loc"][0])])
        raise wrong(tree.where(*place) if place else str(file), key, found, _allowed(place, problem)) from None


def _allowed(place: list[str], problem: Any) -> str:
    model: type[BaseModel] = Partition if place[:1] == ["partitions"] and len(place) > 1 else Site
    if problem["type"] == "extra_forbidden":
        return ", ".join(model.model_fields)
    if model is Partition and len(place) == 2:
        return "a mapping of limits ({} for none)"
    return str(model.model_fields[(place or problem["loc"])[-1]].description)


def minutes(text: int | str) -> int:
    """A limit of time in minutes."""
    if isinstance(text, int):
        return text
    number, unit = re.fullmatch(r"(\d+)([mhd])", text).groups()  # type: ignore[union-attr]  # checked by the model
    return int(number) * {"m": 1, "h": 60, "d": 1440}[unit]
