"""A study is the product its file says, and nothing wrong passes: one line names file, key, found and allowed."""

import itertools
import math
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import model_validator

from advdyn.study import building, layout, sweep
from advdyn.study.errors import ConfigError
from advdyn.study.model import Cost, Step, StudyModel, parameter
from advdyn.study.reading import Tree, read


class Toy(StudyModel):
    """A study with one parameter of each kind."""

    name: ClassVar[str] = "toy"
    within_panel: ClassVar[tuple[str, ...]] = ("x", "y", "n")
    steps: ClassVar[Mapping[str, Step]] = {
        "run": Step(("x", "y", "kind", "n", "times", "seeds"), "block"),
        "solve": Step(("x", "y"), "cell", lambda point: Cost(2.0)),
        "draw": Step(per="panel"),
        "collect": Step(),
    }
    x: float = parameter(0.5, "a lane", gt=0, lt=1, lane=True)
    y: float = parameter(1.0, "another lane", ge=0, lane=True)
    kind: str = parameter("a", "a cell only")
    n: int = parameter(3, "a cell only", ge=1, le=100)
    times: list[float] = parameter([0.0, 1.0], "not to be swept", sweep=False, min_length=1)

    @model_validator(mode="after")
    def _not_both(self):
        if self.x > 0.9 and self.y == 0:
            raise ValueError("y: found 0 with x > 0.9, allowed: y > 0 there")
        return self

    def seeds_of(self, seeds):
        return seeds[:2] if self.kind == "dear" else seeds


def build(data: dict[str, Any]) -> sweep.Sweep:
    return building.build(Toy, Tree(data, {}, "toy.yaml"))


axis = st.lists(st.floats(0.01, 0.89), min_size=1, max_size=4, unique_by=lambda v: float(f"{v:.12g}"))
counts = st.lists(st.integers(1, 100), min_size=1, max_size=4, unique=True)


@settings(max_examples=60, deadline=None)
@given(axis, axis, counts, st.integers(1, 4), st.integers(1, 3), st.booleans())
def test_a_study_is_the_product_of_its_axes(x, y, n, block, blocks, as_lane):
    data = {"cells": {"n": n}, "lanes": {"y": y}, "seeds": {"count": block * blocks, "block": block}}
    data["lanes" if as_lane else "cells"]["x"] = x
    study = build(data)
    jobs = list(study.jobs("run"))
    assert len(jobs) == len(n) * blocks * (1 if as_lane else len(x))
    assert len({(j.cell, j.block) for j in jobs}) == len(jobs)
    covered = set()
    for job in jobs:
        xs = job.point["x"] if as_lane else [job.point["x"]]
        covered.update(itertools.product(xs, job.point["y"], [job.point["n"]], job.point["seeds"]))
    assert len(covered) == len(x) * len(y) * len(n) * block * blocks
    assert study.count_jobs() == len(list(study.all_jobs()))
    for job in jobs:  # a path leads back to its params
        assert study.point("run", job.cell, job.block) == job.point


@settings(max_examples=40, deadline=None)
@given(axis, st.randoms())
def test_the_order_in_which_values_are_written_changes_nothing(x, random):
    shuffled = random.sample(x, len(x))
    one, other = (build({"lanes": {"x": v}, "cells": {"n": [2, 1]}}) for v in (x, shuffled))
    assert [j.point for j in one.all_jobs()] == [j.point for j in other.all_jobs()]


@given(axis, st.floats(0.01, 0.89))
@settings(max_examples=40, deadline=None)
def test_a_new_cell_value_leaves_the_other_jobs_as_they_are(x, new):
    before = {
        (j.step, j.cell, j.block): j.point for j in build({"cells": {"x": x}}).all_jobs() if j.step in ("run", "solve")
    }
    more = x if any(math.isclose(new, v, rel_tol=1e-9) for v in x) else [*x, new]
    after = {(j.step, j.cell, j.block): j.point for j in build({"cells": {"x": more}}).all_jobs()}
    assert before.items() <= after.items()


def test_more_seeds_add_blocks_and_change_none():
    before, after = (build({"seeds": {"count": c, "block": 4}}) for c in (8, 12))
    old = {j.block: j.point for j in before.jobs("run")}
    new = {j.block: j.point for j in after.jobs("run")}
    assert old.items() <= new.items()
    assert new.keys() - old.keys() == {"seeds~8-11"}


def test_a_step_depends_only_on_the_axes_it_reads():
    study = build({"cells": {"n": [1, 2], "kind": ["a", "b"], "x": [0.1, 0.2, 0.3]}})
    assert study.cells_of("solve") == ["x~0.1", "x~0.2", "x~0.3"]
    assert len(study.cells_of("run")) == 12
    assert study.cells_of("collect") == ["whole"]


def test_params_are_plain_and_in_the_order_declared():
    study = build({"lanes": {"x": [0.2, 0.1]}, "cells": {"n": [1]}, "seeds": {"count": 2}})
    point = next(j.point for j in study.jobs("run"))
    assert list(point) == ["x", "y", "kind", "n", "times", "seeds"]
    assert point["x"] == [0.1, 0.2]
    for value in point.values():
        for v in value if isinstance(value, list) else [value]:
            assert type(v) in (int, float, str, bool)


def test_scenarios_set_several_parameters_together_and_are_no_product():
    study = build(
        {"scenarios": {"hard": {"x": 0.1, "n": 9}, "easy": {"x": 0.8, "n": 1}}, "cells": {"kind": ["a", "b"]}}
    )
    points = {j.cell: (j.point["x"], j.point["n"]) for j in study.jobs("run")}
    assert points == {
        "scenario~hard/kind~a": (0.1, 9), "scenario~hard/kind~b": (0.1, 9),
        "scenario~easy/kind~a": (0.8, 1), "scenario~easy/kind~b": (0.8, 1),
    }  # fmt: skip


def test_a_model_may_run_fewer_seeds_where_a_run_is_expensive():
    study = build({"cells": {"kind": ["a", "dear"]}, "seeds": {"count": 6, "block": 2}})
    assert study.blocks_of("run", "kind~dear") == ["seeds~0-1"]
    assert len(study.blocks_of("run", "kind~a")) == 3


def test_ranges_are_written_short_and_canonical():
    study = build({"lanes": {"x": {"linspace": [0.1, 0.5, 5]}, "y": {"geomspace": [0.01, 1, 3]}}})
    assert study.lanes == {"x": [0.1, 0.2, 0.3, 0.4, 0.5], "y": [0.01, 0.1, 1.0]}


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("settings: {z: 1}", 1, r"settings.z: found an unknown key, allowed: x, y"),
        ("settings: {kid: a}", 1, r"did you mean kind\?"),
        ("setings: {x: 0.1}", 1, r"setings: found an unknown key.*did you mean settings\?"),
        ("settings: {x: abc}", 1, r"settings.x: found 'abc', allowed: a number > 0 and < 1"),
        ("settings: {x: true}", 1, r"settings.x: found True, allowed: a number"),
        ("settings: {n: 1.5}", 1, r"settings.n: found 1.5, allowed: an integer >= 1 and <= 100"),
        ("settings:\n  x: 1.0", 2, r"settings.x: found 1.0, allowed: a number > 0 and < 1"),
        ("settings: {x: .nan}", 1, r"settings.x: found nan"),
        ("lanes:\n  y: [1.0]\n  x: [0.1, 2.0]", 3, r"lanes.x: found 2.0, allowed: a number > 0 and < 1"),
        ("lanes: {x: []}", 1, r"lanes.x: found an empty list, allowed: at least one value"),
        ("lanes: {x: 0.1}", 1, r"lanes.x: found 0.1, allowed: a list of values"),
        ("lanes: {x: [0.1, 0.10000000000000001]}", 1, r"lanes.x: found 0.1 twice, allowed: each value once"),
        ("lanes: {x: {linspace: [0, 1]}}", 1, r"lanes.x: found .*linspace: \[start, stop, number\]"),
        ("lanes: {n: [1]}", 1, r"lanes.n: found a parameter that cannot be a lane.*allowed: x, y"),
        ("cells: {times: [[0.0]]}", 1, r"cells.times: found a parameter that cannot be swept"),
        ("cells: {kind: [a/b]}", 1, r"cells.kind: found 'a/b', allowed: a name of letters"),
        ("settings: {x: 0.1}\nlanes: {x: [0.2]}", 2, r"lanes.x: found a parameter that is also in settings"),
        ("cells: {x: [0.1]}\nlanes: {x: [0.2]}", 2, r"lanes.x: found a parameter that is also in cells"),
        ("seeds: {count: 5, block: 2}", 1, r"seeds.count: found 5, allowed: a multiple of seeds.block = 2"),
        ("seeds: {count: 0}", 1, r"seeds.count: found 0, allowed: an integer >= 1"),
        ("seeds: {counts: 5}", 1, r"seeds.counts: .*did you mean count\?"),
        ("cells: {kind: [a, dear]}\nseeds: {count: 6, block: 3}", 2, r"seeds.block: found 3, allowed: a divisor of the 2 seeds"),
        ("lanes: {x: [0.5, 0.95], y: [0.0, 1.0]}", 1, r"y: found 0 with x > 0.9, allowed: y > 0 there"),
        ("scenarios: {a: {x: 0.1}, b: {y: 1.0}}", 1, r"allowed: the same parameters in every scenario"),
        ("scenarios: {a: {x: 7.0}}", 1, r"scenarios.a.x: found 7.0, allowed: a number > 0 and < 1"),
        ("settings: [1]", 1, r"settings: found \[1\], allowed: a mapping"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_file_key_found_and_allowed(tmp_path, text, line, says):
    file = tmp_path / "toy.yaml"
    file.write_text(text + "\n")
    with pytest.raises(ConfigError, match=says) as caught:
        building.build(Toy, read(file))
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{file}:{line}: ")


def test_too_many_jobs_are_refused_with_the_count_and_the_way_out():
    data = {"cells": {"x": {"linspace": [0.1, 0.8, 120]}, "n": list(range(1, 101))}}
    with pytest.raises(
        ConfigError, match=r"cells: found 12\d{3} jobs, allowed: at most 10000: move x from cells to lanes"
    ):
        build(data)
    data["lanes"] = {"x": data["cells"].pop("x")}
    assert build(data).count_jobs() < 500


def test_a_whole_number_of_a_range_is_an_integer_where_one_is_wanted():
    assert build({"cells": {"n": {"geomspace": [1, 100, 3]}}}).cells == {"n": [1, 10, 100]}
    with pytest.raises(ConfigError, match=r"cells.n: found 2.5, allowed: an integer"):
        build({"cells": {"n": {"linspace": [1, 4, 3]}}})


def test_a_value_is_the_same_in_any_spelling():
    whole, point = (build({"lanes": {"y": v}}).lanes["y"] for v in ([0, 1], [0.0, 1.0]))
    assert [type(v) for v in whole] == [type(v) for v in point] == [float, float]
    assert build({"cells": {"kind": ["b", "a"]}}).cells == {"kind": ["a", "b"]}


def test_a_setting_that_no_point_of_the_study_has_is_no_mistake():
    assert build({"settings": {"y": 0.0}, "lanes": {"x": [0.5]}}).count_jobs() > 0
    assert build({"settings": {"x": 0.95}, "lanes": {"y": [1.0]}}).count_jobs() > 0


def test_a_forbidden_point_is_found_wherever_in_the_product_it_is():
    lanes = {"x": {"linspace": [0.01, 0.95, 100]}, "y": {"linspace": [0.0, 1.0, 100]}}
    with pytest.raises(ConfigError, match=r"y: found 0 with x > 0\.9"):
        build({"lanes": lanes})


def test_a_step_that_follows_another_runs_for_each_of_its_cells():
    class Chain(Toy):
        steps: ClassVar[Mapping[str, Step]] = {
            "train": Step(("x",), "cell"), "test": Step(("times",), "cell", after=("train",))
        }  # fmt: skip

    study = building.build(Chain, Tree({"cells": {"x": [0.1, 0.2], "n": [1, 2]}}, {}, "toy.yaml"))
    assert study.cells_of("test") == study.cells_of("train") == ["x~0.1", "x~0.2"]
    assert all(list(job.point) == ["times"] for job in study.jobs("test"))


def test_a_control_a_good_study_passes():
    assert build({}).count_jobs() == 4


GRIDS = """\
settings: {kind: a, n: 3}
grids:
  wide: {cells: {n: [1, 2]}, lanes: {x: [0.1, 0.2]}}
  deep: {cells: {n: [2], kind: [a, b]}, lanes: {x: [0.3]}, seeds: 4}
seeds: {count: 2, block: 2}
"""


def test_a_study_of_grids_is_their_union_and_what_two_of_them_hold_runs_once(tmp_path):
    (tmp_path / "toy.yaml").write_text(GRIDS)
    study = building.build(Toy, read(tmp_path / "toy.yaml"))
    jobs = {(job.cell, job.block): job.point["x"] for job in study.jobs("run")}
    assert jobs == {
        ("kind~a/n~1", "seeds~0-1"): [0.1, 0.2],
        ("kind~a/n~2", "seeds~0-1"): [0.1, 0.2, 0.3],  # in both: the lanes of both, the larger number of seeds
        ("kind~a/n~2", "seeds~2-3"): [0.1, 0.2, 0.3],
        ("kind~b/n~2", "seeds~0-1"): [0.3],
        ("kind~b/n~2", "seeds~2-3"): [0.3],
    }
    assert study.cells == {"kind": ["a", "b"], "n": [1, 2]}  # n: 3 of the settings is at no point
    assert study.lanes == {"x": [0.1, 0.2, 0.3]}
    assert study.count_jobs() == len(list(study.all_jobs()))
    for job in study.jobs("run"):
        assert study.point("run", job.cell, job.block) == job.point
    swapped = building.build(Toy, Tree({**read(tmp_path / "toy.yaml").data, "grids": dict(reversed(
        read(tmp_path / "toy.yaml").data["grids"].items()))}, {}, "toy.yaml"))  # fmt: skip
    assert [j.point for j in swapped.all_jobs()] == [j.point for j in study.all_jobs()]


def test_an_override_changes_or_removes_one_grid(tmp_path):
    (tmp_path / "toy.yaml").write_text(GRIDS)
    over = Tree({"grids": {"deep": None, "wide": {"lanes": {"x": [0.4]}}}}, {}, "over.yaml")
    study = building.build(Toy, read(tmp_path / "toy.yaml").updated(over))
    assert {job.cell: job.point["x"] for job in study.jobs("run")} == {"n~1": [0.4], "n~2": [0.4]}


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("grids: {g: {cell: {n: [1]}}}", 1, r"grids.g.cell: found an unknown key, allowed: cells, lanes, seeds.*did you mean cells"),
        ("grids:\n  g: [1]", 2, r"grids.g: found \[1\], allowed: a mapping of cells, lanes, seeds"),
        ("grids:\n  g: {cells: {n: [0]}}", 2, r"grids.g.cells.n: found 0, allowed: an integer >= 1"),
        ("grids:\n  g: {lanes: {n: [1]}}", 2, r"grids.g.lanes.n: found a parameter that cannot be a lane"),
        ("cells: {n: [1]}\ngrids:\n  g: {cells: {n: [2]}}", 3, r"grids.g.cells.n: found a parameter that is also in cells"),
        ("grids:\n  g: {cells: {x: [0.1]}}\n  h: {lanes: {x: [0.1]}}", 3, r"grids.h.lanes.x: found a parameter that is also in cells of grid g"),
        ("seeds: {count: 4, block: 2}\ngrids:\n  g: {seeds: 3}", 3, r"grids.g.seeds: found 3, allowed: a multiple of seeds.block = 2"),
        ("grids:\n  g: {lanes: {x: [0.95], y: [0.0]}}", 2, r"grids.g.lanes.y: found 0 with x > 0.9, allowed: y > 0 there"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_grid_is_one_line(tmp_path, text, line, says):
    file = tmp_path / "toy.yaml"
    file.write_text(text + "\n")
    with pytest.raises(ConfigError, match=says) as caught:
        building.build(Toy, read(file))
    assert str(caught.value).startswith(f"{file}:{line}: ")


class Merging(Toy):
    """A study in which y has no meaning where kind is plain, and y = 0 is the plain kind."""

    steps: ClassVar[Mapping[str, Step]] = {
        "train": Step(("y", "kind", "n", "seeds"), "block"),
        "test": Step(("times", "seeds"), "block", after=("train",)),
        "compare": Step(("times",), after=("train",), takes=lambda jobs: [m.n == 2 for m, _ in jobs]),
    }

    def same_as(self):
        return {"kind": "plain", "y": 0.0} if self.kind == "plain" or self.y == 0 else {}


def merging(data):
    return building.build(Merging, Tree(data, {}, "toy.yaml"))


def test_points_that_are_the_same_system_run_once_as_lanes():
    study = merging({"cells": {"kind": ["plain", "other"]}, "lanes": {"y": [0.0, 1.0, 2.0]}})
    assert {job.cell: job.point["y"] for job in study.jobs("train")} == {"kind~plain": [0.0], "kind~other": [1.0, 2.0]}


@pytest.mark.parametrize("section", ["cells", "settings"])
def test_points_that_are_the_same_system_run_once_as_cells(section):
    data = {"cells": {"kind": ["plain", "other"]}}
    data.setdefault(section, {})["y"] = [0.0, 1.0] if section == "cells" else 1.0
    study = merging(data)
    found = {job.cell: (job.point["kind"], job.point["y"]) for job in study.jobs("train")}
    y = ("y~0/", "y~1/") if section == "cells" else ("", "")  # no axis, as kind already tells the two apart
    assert found == {f"{y[0]}kind~plain": ("plain", 0.0), f"{y[1]}kind~other": ("other", 1.0)}


def test_a_new_cell_value_moves_no_path_where_points_are_merged():
    before, after = (merging({"settings": {"y": 1.0}, "cells": {"kind": k}}) for k in (["a"], ["a", "plain"]))
    assert set(before.cells_of("train")) < set(after.cells_of("train"))


def test_a_point_without_any_axis_is_merged_too():
    (job,) = merging({"settings": {"kind": "plain", "y": 1.0}}).jobs("train")
    assert job.point["y"] == 0.0


def test_what_nothing_else_tells_apart_is_an_axis():
    study = merging({"settings": {"kind": "a"}, "lanes": {"y": [0.0, 1.0]}})
    assert {job.cell: job.point["y"] for job in study.jobs("train")} == {"kind~a": [1.0], "kind~plain": [0.0]}


def test_a_scenario_that_is_another_system_than_it_says_is_refused():
    with pytest.raises(ConfigError, match=r"scenarios.s.y: found 1.0, allowed: 0.0"):
        merging({"scenarios": {"s": {"kind": "plain", "y": 1.0}}})


def test_a_step_of_the_whole_study_reads_a_swept_parameter_at_its_setting_or_its_last_value():
    class Whole(Merging):
        steps: ClassVar[Mapping[str, Step]] = {"train": Step(("n", "seeds"), "block"), "scale": Step(("n",))}

    for data, n in (({"cells": {"n": [4, 9]}}, 9), ({"cells": {"n": [3, 9]}}, 3), ({}, 3)):
        (job,) = building.build(Whole, Tree(data, {}, "toy.yaml")).jobs("scale")
        assert job.point == {"n": n}


def test_a_step_of_the_whole_study_reads_the_jobs_it_takes():
    study = merging({"cells": {"n": [1, 2], "kind": ["plain", "other"]}, "seeds": {"count": 4, "block": 2}})
    before = study.before("compare")["train"]
    assert {(job.point["n"], job.point["kind"]) for job in before} == {(2, "plain"), (2, "other")}
    assert len(before) == 4  # both blocks
    (one,) = study.before("test", "kind~other/n~1", "seeds~2-3")["train"]
    assert (one.cell, one.block) == ("kind~other/n~1", "seeds~2-3")


def test_a_job_of_one_cell_reads_what_was_made_once_for_the_study():
    class Judged(Merging):
        steps: ClassVar[Mapping[str, Step]] = {
            "judge": Step(("times",)),
            "train": Step(("n", "seeds"), "block"),
            "test": Step(("times",), "block", after=("train", "judge")),
        }

    study = building.build(Judged, Tree({"cells": {"n": [1, 2]}, "seeds": {"count": 2, "block": 1}}, {}, "toy.yaml"))
    before = study.before("test", "n~2", "seeds~1-1")
    assert [(job.cell, job.block) for job in before["train"]] == [("n~2", "seeds~1-1")]
    assert [(job.cell, job.block) for job in before["judge"]] == [(layout.WHOLE, "")]
