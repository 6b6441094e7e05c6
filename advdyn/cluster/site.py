"""The facts of a Slurm cluster: profiles/slurm/site.yaml, the one file that users edit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from advdyn.study.errors import Words, wrong
from advdyn.study.reading import read

Name = Annotated[str, StringConstraints(pattern=r"^[\w.-]+$")]
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


class Site(BaseModel):
    """The facts of a cluster."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    account: Name | None = Field(None, description="a text, what jobs are charged to (sbatch --account), or null")
    qos: Name | None = Field(None, description="quality of service of all jobs (sbatch --qos), or null")
    gpu_request: Literal["gpu", "gres"] = Field("gpu", description="how a GPU is asked for: sbatch --gpus or --gres")
    gpu_model: Name | None = Field(None, description="model of the GPU asked for, or null for any")
    partitions: dict[str, Partition] = Field(min_length=1, description="name of a partition to what it offers")

    @property
    def gpus(self) -> bool:
        """Whether any partition has GPUs: training that may use one then asks for it."""
        return any(partition.max_gpu for partition in self.partitions.values())

    def resources(self) -> dict[str, str]:
        """Resources that every job of this site names, for the executor plugin."""
        named = {"slurm_account": self.account, "qos": self.qos}
        return {name: value for name, value in named.items() if value is not None}

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
