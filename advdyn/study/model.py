"""The base of every study's model: each parameter once, with default, unit, bounds and description."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

Per = Literal["study", "panel", "cell", "block"]
AROUND = 400.0  # MB: the two nested snakemakes in the allocation of a job hold 140 each; shell, srun
STARTING = 10  # minutes: a node under load, and shared storage from which torch is loaded for the first time
CUDA = 2500.0  # MB on the host for the libraries of CUDA; an estimate, not measured


@dataclass(frozen=True)
class Cost:
    """What one job takes: core-seconds on the reference machine, peak memory and output in MB."""

    seconds: float
    memory: float = 300.0
    disk: float = 0.5

    def mem_mb(self, attempt: int = 1, gpu: bool = False) -> int:
        """Memory to ask a scheduler for, in MB: a margin, and room for the two snakemakes around a job on a cluster."""
        return int(1.3 * self.memory + AROUND + CUDA * gpu) * attempt

    def runtime(self, attempt: int = 1) -> int:
        """Time to ask a scheduler for, in minutes: three times what the reference machine takes."""
        return (STARTING + int(3 * self.seconds / 60)) * attempt


@dataclass(frozen=True)
class Step:
    """One rule of a study.

    Attributes
    ----------
    reads
        The parameters that reach the rule's function, in the order of its params; nothing else does, so
        that a changed setting reruns only the rules that read it. ``seeds`` stands for the block's seeds.
    per
        How often the rule runs: once for the study, for each panel (combination of swept values drawn in
        one figure), for each cell (combination of the swept values it reads), or for each cell and block.
    cost
        The cost of one job from its point.
    after
        Steps whose files at the same cell it reads: it runs for each of their cells too.
    gpu
        Whether a job uses a GPU when its device is CUDA, from its point.
    takes
        For a step of the whole study: which jobs of the steps before it it reads, from the (model, block) of each;
        all of them when absent.
    """

    reads: tuple[str, ...] = ()
    per: Per = "study"
    cost: Callable[[Mapping[str, Any]], Cost] = lambda _: Cost(4.0)
    after: tuple[str, ...] = ()
    gpu: Callable[[Mapping[str, Any]], bool] = lambda _: False
    takes: Callable[[Sequence[tuple[Any, str]]], Sequence[bool]] | None = None


def parameter(
    default: Any, description: str, unit: str = "1", *, lane: bool = False, sweep: bool = True, **bounds: Any
) -> Any:
    """A parameter of a study.

    Parameters
    ----------
    lane
        Whether its values can be computed together as one batch inside a job.
    sweep
        Whether it can be swept at all.
    bounds
        pydantic's ``gt``, ``ge``, ``lt``, ``le``, ``min_length``, ...
    """
    extra: dict[str, Any] = {"unit": unit, "lane": lane, "sweep": sweep}
    return Field(default, description=description, json_schema_extra=extra, **bounds)


class StudyModel(BaseModel):
    """The parameters of one study at one point of its grid.

    A subclass declares its parameters as fields, and as class variables its ``name``, its ``steps`` (one
    for each rule) and the parameters that vary ``within_panel``, that is, inside one figure.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True, allow_inf_nan=False)

    name: ClassVar[str]
    steps: ClassVar[Mapping[str, Step]]
    within_panel: ClassVar[tuple[str, ...]] = ()
    data_sources: ClassVar[tuple[str, ...]] = ()  # the sources its data set may have

    root: int = parameter(0, "root of all random streams of the study", sweep=False, ge=0)
    device: Literal["auto", "cpu", "cuda"] = parameter(
        "auto", "where tensors live; auto takes a GPU if there is one", sweep=False
    )
    dtype: Literal["float32", "float64"] = parameter(
        "float64", "precision of tensors that are trained or simulated", sweep=False
    )

    def seeds_of(self, seeds: list[int]) -> list[int]:
        """The seeds of ``seeds`` that run at this point; a model may run fewer where a run is expensive."""
        return seeds

    def same_as(self) -> dict[str, Any]:
        """Parameters to be set so that points which are the same system are one: it then runs once.

        Standard training, say, does not depend on the size of the training attack; a model that sets that to 0 there
        may be swept over both, without running the same thing several times.
        """
        return {}

    @classmethod
    def fields(cls) -> Mapping[str, FieldInfo]:
        """Name to field, in canonical order: the order of paths, of params and of dimensions."""
        own = [name for name in cls.model_fields if name not in StudyModel.model_fields]
        common = [name for name in cls.model_fields if name in StudyModel.model_fields]
        return {name: cls.model_fields[name] for name in own + common}

    @classmethod
    def ordered(cls, name: str, values: Iterable[Any]) -> list[Any]:
        """Values in the one order of every study: numbers by size, choices as listed here, names by alphabet."""
        annotation = cls.model_fields[name].annotation
        if typing.get_origin(annotation) is Literal:
            return sorted(values, key=typing.get_args(annotation).index)
        return sorted(values)

    @classmethod
    def reads_before(cls, step: str) -> set[str]:
        """The parameters that a step and those before it read."""
        own = set(cls.steps[step].reads)
        return own.union(*(cls.reads_before(before) for before in cls.steps[step].after))

    @classmethod
    def described(cls) -> dict[str, list[str]]:
        """Name to [unit, description] of every parameter that becomes a coordinate: those swept, and all numbers."""
        found = {
            n: [extra(f)["unit"], str(f.description)]
            for n, f in cls.fields().items()
            if extra(f)["sweep"] or f.annotation in (int, float)
        }
        return found | {"scenario": ["1", "named point of the grid"]}


def extra(field: FieldInfo) -> dict[str, Any]:
    """Unit, lane and sweep of a parameter."""
    return typing.cast(dict[str, Any], field.json_schema_extra)


def allowed(model: type[BaseModel], name: str) -> str:
    """What a field accepts, in words: ``a number > 0 and < 1``, ``one of lumped, full``."""
    schema = model.model_json_schema()
    return describe(schema["properties"][name], schema.get("$defs", {}))


def describe(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """A JSON schema in words."""
    if "$ref" in schema:
        return describe(definitions[schema["$ref"].rsplit("/", 1)[1]], definitions)
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if "anyOf" in schema:
        return " or ".join(describe(s, definitions) for s in schema["anyOf"])
    kind = schema.get("type", "value")
    if kind == "array":
        least = schema.get("minItems")
        return f"a list of {describe(schema.get('items', {}), definitions)}" + (f", at least {least}" if least else "")
    words = {
        "number": "a number",
        "integer": "an integer",
        "string": "a text",
        "boolean": "true or false",
        "object": "a mapping",
        "null": "null",
    }
    bounds = [
        f"{sign} {schema[key]:g}"
        for key, sign in (("exclusiveMinimum", ">"), ("minimum", ">="), ("exclusiveMaximum", "<"), ("maximum", "<="))
        if key in schema
    ]
    return " ".join([words.get(kind, kind), " and ".join(bounds)]).strip()
