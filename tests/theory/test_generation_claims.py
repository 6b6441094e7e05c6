"""The claims of the study generation are reproduced by data that satisfy them, and not where these are broken."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from advdyn import closure
from advdyn.claims import assess
from advdyn.errors import InputError
from advdyn.generation import view
from advdyn.generation.claims import CLAIMS, context
from tests import generation_data

NORMALISED = {"batch_normalisation": False}
VERDICTS = {"reproduced", "not reproduced", "depends", "not tested", "not testable"}


def made(*others, **options):
    """A study of little pictures."""
    points = [{}, *(others or (*generation_data.GRID, NORMALISED))]
    found = generation_data.study(points, **({"seeds": 4, "shown": 2, "pixels": 4, "shape": "2,2"} | options))
    if "batch_normalisation" in found.dims and "frechet" in found:  # without it the samples are worse
        worse = xr.where(found["batch_normalisation"], 1.0, 2.0)
        found["frechet"] = (found["frechet"] * worse).transpose(*found["frechet"].dims)
    return found


@pytest.fixture(scope="module")
def study():
    return made()


def table(study, *names):
    """Rows of the claims named, by claim."""
    chosen = [claim for claim in CLAIMS if not names or claim.name in {name.split("/")[0] for name in names}]
    return assess("generation", chosen, study).set_index("claim")


def verdict(study, name):
    return table(study, name).loc[name, "verdict"]


def end(study, name, value, **where):
    """The study with a metric of the last kept epoch replaced, by a value or by ``value`` of it."""
    values = study[name]
    there = xr.ones_like(values, dtype=bool)
    for dim, label in ({"kept": 24} | where).items():
        there = there & (study[dim] == label)
    new = value(values) if callable(value) else value
    return study.assign({name: xr.where(there, new, values).transpose(*values.dims)})


def played(study, name, value, **where):
    """The study with the record of training replaced."""
    values = study[name]
    there = xr.ones_like(values, dtype=bool)
    for dim, label in where.items():
        there = there & (study[dim] == label)
    new = value(values) if callable(value) else value
    return study.assign({name: xr.where(there, new, values).transpose(*values.dims)})


def of_source(study, name, value, source):
    values = study[f"reference_{name}"]
    new = value(values) if callable(value) else value
    return study.assign({values.name: xr.where(study["source"] == source, new, values).transpose(*values.dims)})


HELD = (
    "generative_model/fitted Gaussian", "generative_model/uniform noise", "generative_model/untrained generator",
    "any_setting/minimax", "any_setting/D steps 2", "any_setting/D steps 5", "any_setting/not batch-normalised",
    "class_shares", "rarest_class", "memorisation", "in_loop_accuracy/as set", "in_loop_accuracy/minimax",
    "in_loop_accuracy/D steps 2", "in_loop_accuracy/not batch-normalised", "in_loop_tracking", "stronger_gradients",
    "non_saturating", "discriminator_steps/2 against 1", "discriminator_steps/5 against 1", "batch_normalisation",
    "gate_floor/nearest neighbours", "gate_floor/linear", "gate_floor/fresh discriminator",
    "gate_noise/nearest neighbours", "gate_noise/linear", "gate_noise/fresh discriminator", "gate_value",
    "gate_memoriser", "gate_judge", "gate_disjoint", "gate_order/real images below fitted Gaussian",
    "gate_order/fitted Gaussian below uniform noise", "gate_order/real images below samples",
    "gate_order/samples below uniform noise",
)  # fmt: skip
REFUTED = (
    "recovers_distribution/nearest neighbours", "recovers_distribution/linear",
    "recovers_distribution/fresh discriminator", "optimum/in the game", "optimum/fresh discriminator",
    "in_loop_accuracy/D steps 5",
)  # fmt: skip


@pytest.fixture(scope="module")
def verdicts(study):
    return table(study)["verdict"]


@pytest.mark.parametrize("name", HELD)
def test_a_claim_that_holds_is_reproduced(verdicts, name):
    assert verdicts[name] == "reproduced"


@pytest.mark.parametrize("name", REFUTED)
def test_a_claim_that_the_data_refute_is_not(verdicts, name):
    assert verdicts[name] == "not reproduced"


def test_every_row_has_a_known_answer(verdicts):
    untestable = {claim.name for claim in CLAIMS if claim.untestable}
    assert set(verdicts.index) == {*HELD, *REFUTED, *untestable}
    assert set(verdicts[verdicts == "not testable"].index) == untestable


def equal_shares(study, rarest):
    """Class shares in which one class has so little and the others have its rest."""
    shares = xr.where(study["class"] == 0, rarest, (1 - rarest) / 9)
    return end(study, "class_share", lambda v: xr.broadcast(shares, v)[0].transpose(*v.dims))


STEPS = {"loss": "non-saturating"}
BROKEN = {
    "generative_model/fitted Gaussian": lambda s: end(s, "frechet", lambda v: 60 + v / 4),
    "generative_model/uniform noise": lambda s: end(s, "frechet", lambda v: 295 + v / 4),
    "generative_model/untrained generator": lambda s: end(s, "frechet", s["frechet"].sel(kept=0)),
    "any_setting/minimax": lambda s: end(s, "frechet", 55.0, loss="minimax"),
    "any_setting/D steps 5": lambda s: end(s, "frechet", 55.0, d_steps=5),
    "class_shares": lambda s: end(s, "class_distance", 0.17),
    "rarest_class": lambda s: equal_shares(s, 0.008),
    "memorisation": lambda s: end(s, "nearest", 0.0),
    "in_loop_accuracy/as set": lambda s: played(s, "accuracy", 0.96),
    "in_loop_accuracy/minimax": lambda s: played(s, "accuracy", 0.96, loss="minimax"),
    "in_loop_tracking": lambda s: played(s, "accuracy", lambda v: v * 0 + 0.9 - 0.01 * s["epoch"]),
    "stronger_gradients": lambda s: played(s, "gradient_norm", 2.0),
    "non_saturating": lambda s: end(s, "frechet", 12.5, loss="minimax"),
    "discriminator_steps/2 against 1": lambda s: played(s, "value", -1.0, **STEPS),
    "discriminator_steps/5 against 1": lambda s: played(s, "value", -1.25, d_steps=5),
    "batch_normalisation": lambda s: end(s, "frechet", 12.5, batch_normalisation=False),
    "gate_floor/nearest neighbours": lambda s: of_source(s, "neighbour_accuracy", 0.3, "real"),
    "gate_floor/linear": lambda s: of_source(s, "linear_accuracy", 0.65, "real"),
    "gate_floor/fresh discriminator": lambda s: of_source(s, "fresh_accuracy", 0.65, "real"),
    "gate_noise/nearest neighbours": lambda s: of_source(s, "neighbour_accuracy", 0.8, "noise"),
    "gate_noise/linear": lambda s: of_source(s, "linear_accuracy", 0.85, "noise"),
    "gate_noise/fresh discriminator": lambda s: of_source(s, "fresh_accuracy", 0.85, "noise"),
    "gate_value": lambda s: of_source(s, "fresh_value", -1.1, "real"),
    "gate_memoriser": lambda s: of_source(s, "nearest", 6.0, "copies"),
    "gate_judge": lambda s: s.assign(judge_accuracy=0.89),
    "gate_disjoint": lambda s: of_source(s, "confidence", 0.995, "copies"),
    "gate_order/real images below fitted Gaussian": lambda s: of_source(s, "frechet", lambda v: v * 20, "real"),
    "gate_order/fitted Gaussian below uniform noise": lambda s: of_source(s, "frechet", lambda v: v * 5, "gaussian"),
    "gate_order/real images below samples": lambda s: end(s, "frechet", 3.0),
    "gate_order/samples below uniform noise": lambda s: end(s, "frechet", 290.0),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_claim_that_the_data_contradict_is_not_reproduced(study, name):
    assert verdict(BROKEN[name](study), name) == "not reproduced"


def test_every_claim_is_contradicted_by_some_data():
    testable = {claim.name for claim in CLAIMS if not claim.untestable}
    assert testable == {name.split("/")[0] for name in (*BROKEN, *MENDED)}


MENDED = {
    "recovers_distribution/nearest neighbours": lambda s: end(end(s, "neighbour_real", 0.48), "neighbour_fake", 0.53),
    "recovers_distribution/linear": lambda s: end(s, "linear_accuracy", 0.52),
    "recovers_distribution/fresh discriminator": lambda s: end(s, "fresh_accuracy", 0.48),
    "optimum/in the game": lambda s: played(s, "value", -np.log(4)),
    "optimum/fresh discriminator": lambda s: end(s, "fresh_value", -1.35),
    "in_loop_accuracy/D steps 5": lambda s: played(s, "accuracy", 0.8, d_steps=5),
}


@pytest.mark.parametrize("name", MENDED)
def test_a_claim_that_was_refuted_is_reproduced_by_other_data(study, name):
    assert verdict(MENDED[name](study), name) == "reproduced"


def flat(study, *names, source):
    """A reference that is as good as the floor."""
    for name in names:
        study = of_source(study, name, study[f"reference_{name}"].sel(source="real"), source)
    return study


POWERLESS = {
    "generative_model/fitted Gaussian": lambda s: of_source(
        s, "frechet", lambda v: v * xr.where(v["draw"] % 2 == 0, 0.5, 1.0), "gaussian"
    ),
    "recovers_distribution/linear": lambda s: flat(s, "linear_accuracy", source="gaussian"),
    "optimum/fresh discriminator": lambda s: flat(s, "fresh_value", source="gaussian"),
    "class_shares": lambda s: flat(s, "class_distance", source="noise"),
    "rarest_class": lambda s: flat(s, "class_share", source="noise"),
    "memorisation": lambda s: flat(s, "nearest", source="copies"),
    "in_loop_tracking": lambda s: played(
        s, "frechet", lambda v: v * 0 + 100 + xr.where(v["seed"] % 2 == 0, 1.0, -1.0) * s["kept"]
    ),
    "gate_floor/linear": lambda s: flat(s, "linear_accuracy", source="noise"),
    "gate_noise/linear": lambda s: of_source(s, "linear_accuracy", 0.95, "real"),
    "gate_value": lambda s: flat(s, "fresh_value", source="noise"),
}


@pytest.mark.parametrize("name", POWERLESS)
def test_a_control_that_passes_leaves_a_claim_untested(study, name):
    found = table(POWERLESS[name](study), name).loc[name]
    assert (found["verdict"], "no power" in found["conditions"]) == ("not tested", True)


def test_a_difference_of_one_sign_that_is_not_larger_than_chance_does_not_count(study):
    scattered = study["fresh_accuracy"] + xr.DataArray([-0.3, -0.1, 0.02, 0.0], dims="seed")
    found = table(study.assign(fresh_accuracy=scattered.transpose(*study["fresh_accuracy"].dims)), "in_loop_accuracy")
    assert found.loc["in_loop_accuracy/as set", "verdict"] == "not reproduced"
    assert "undecided at this number" in found.loc["in_loop_accuracy/as set", "conditions"]


def test_both_classes_of_the_nearest_neighbours_count(study):
    """Half right on average, though every sample's neighbour is a sample and so is every real image's."""
    name = "recovers_distribution/nearest neighbours"
    opposite = end(end(end(study, "neighbour_accuracy", 0.5), "neighbour_real", 0.3), "neighbour_fake", 0.95)
    found = table(opposite, name).loc[name]
    assert (found["verdict"], found["measured"]) == ("not reproduced", pytest.approx(0.95))


def test_copies_are_no_reason_not_to_measure(study):
    found = table(end(study, "nearest", 0.0), "memorisation").loc["memorisation"]
    assert (found["n"], found["measured"]) == (4, 0.0)


def test_the_missing_class_is_named(study):
    assert "missing on average: 0" in table(equal_shares(study, 0.001), "rarest_class").conditions.iloc[0]


def test_numbers_are_those_of_the_last_kept_epoch(study):
    row = table(study, "generative_model").loc["generative_model/fitted Gaussian"]
    own = study["frechet"].sel(kept=24, loss="non-saturating", d_steps=1, batch_normalisation=True).values
    gaussian = study["reference_frechet"].sel(source="gaussian").values
    logs = np.log(own) - np.log(gaussian).mean()
    assert row["measured"] == pytest.approx(np.exp(logs.mean()), rel=1e-5)
    t = stats.t.isf(0.05 / 2 / 3, 3)  # three rows share the error rate
    assert row["high"] == pytest.approx(np.exp(logs.mean() + t * logs.std(ddof=1) / 2), rel=1e-5)


def test_two_seeds_are_too_few(study):
    found = table(study.isel(seed=[0, 1]))
    seeds = found[~found.index.str.startswith("gate_") & (found["verdict"] != "not testable")]
    assert set(seeds["verdict"]) == {"not tested"}
    assert found.loc["gate_floor/linear", "verdict"] == "reproduced"  # rests on draws


@pytest.mark.parametrize("seeds", [1, 3])
def test_nothing_swept_asks_nothing_of_the_sweeps(seeds):
    found = table(made({}, seeds=seeds))
    for name in ("any_setting", "stronger_gradients", "non_saturating", "discriminator_steps", "batch_normalisation"):
        assert (found.loc[name, "verdict"], found.loc[name, "n"]) == ("not tested", 0)
    assert found.loc["in_loop_accuracy", "verdict"] == ("reproduced" if seeds == 3 else "not tested")


def test_diverged_runs_are_left_out_and_counted():
    lost = made({}, diverged=[1])
    found = table(lost)
    row = found.loc["generative_model/uniform noise"]
    assert (row["verdict"], row["n"]) == ("reproduced", 3)
    assert "1 of 4 runs diverged, left out" in row["conditions"]
    assert "1 of all 4 runs diverged" in context(lost)
    assert found.loc["in_loop_tracking", "n"] == 3
    every = table(made({}, diverged=[0, 1, 2, 3]))
    assert every.loc["generative_model", "verdict"] == "not tested"
    assert set(every["verdict"]) <= VERDICTS


@pytest.mark.parametrize(
    "options", [{"references": False}, {"evaluated": False}, {"evaluated": False, "references": False}]
)
def test_an_unfinished_study_has_a_ledger(options):
    found = table(made({}, **options))
    assert set(found["verdict"]) <= VERDICTS
    assert found.loc[found.index.str.startswith("generative_model"), "verdict"].iloc[0] in ("not tested", "reproduced")


def test_a_smoke_test_has_a_ledger():
    assert set(table(generation_data.tiny())["verdict"]) <= {"not tested", "not testable", "reproduced"}


def test_every_figure_named_is_one_of_the_study_s():
    from advdyn.generation.model import FIGURES

    named = {claim.figure.removeprefix("generation/figures/").removesuffix(".png") for claim in CLAIMS if claim.figure}
    assert named <= set(FIGURES)


# --- the view ------------------------------------------------------------------------------------------------------


def test_every_swept_parameter_is_one_of_the_study_s():
    from advdyn.generation.model import SYSTEM

    assert set(view.AXES) <= {*SYSTEM, "scenario"}


def test_an_empty_study_cannot_be_viewed(study):
    empty = study.assign({n: study[n] * np.nan for n in view.RECORDED})
    with pytest.raises(InputError, match="the study generation holds no run"):
        view.of(empty)
    assert context(empty) == ""
    assert set(table(empty)["verdict"]) == {"not tested", "not testable"}


def test_only_the_runs_there_are(study):
    seen = view.of(study)
    assert len(seen.cells) == 5  # of 2 x 2 x 3 combinations
    assert seen.axes == ("batch_normalisation", "loss", "d_steps")
    assert dict(seen.reference) == {"loss": "non-saturating", "d_steps": 1, "batch_normalisation": True}
    assert [dict(cell)["d_steps"] for cell in seen.family("d_steps")] == [1, 2, 5]
    assert [seen.words(cell) for cell in seen.neighbours()] == [
        "as set", "not batch-normalised", "minimax", "D steps 2", "D steps 5",
    ]  # fmt: skip


def test_the_reference_is_the_run_with_most_of_the_settings(study):
    other = json.loads(study.attrs["reference"]) | {"d_steps": 5, "width": 1024}
    seen = view.of(study.assign_attrs(reference=json.dumps(other)))
    assert dict(seen.reference)["d_steps"] == 5
    assert seen.words(seen.reference) == "as set"
    unsaid = view.of(study.assign_attrs(reference=""))
    assert dict(unsaid.reference)["d_steps"] == 1
    lone = made({"loss": "minimax"}).sel(loss=["minimax"])  # the run at the settings has not finished
    assert view.of(lone).words(view.of(lone).reference) == "minimax"


def test_a_run_has_its_own_seeds(study):
    some = study.assign(
        {
            n: study[n].where((study["d_steps"] == 1) | (study["seed"] < 2))
            for n in study
            if "seed" in study[n].dims and "d_steps" in study[n].dims
        }
    )
    seen = view.of(some)
    five = seen.family("d_steps")[-1]
    assert list(seen.seeds(five)) == [0, 1]
    assert seen.end(five, "frechet").sizes == {"seed": 2}
    assert seen.end(five, "nothing of the kind").sizes == {"seed": 0}
    assert seen.in_game(five, "accuracy", 99).sizes["seed"] == 0


def test_a_run_is_judged_at_its_own_last_epoch():
    """Where epochs are swept, a generator of a shorter run is not one that was kept later."""
    found = generation_data.study([{}], kept=[0, 2, 24], shown=2, pixels=4)
    short = found.assign({n: found[n].where(found["kept"] <= 2) for n in found if "kept" in found[n].dims})
    epochs = xr.DataArray([2, 24], dims="epochs", name="epochs")
    wide = [
        part.drop_vars("epochs").expand_dims(epochs=[e]) for part, e in zip((short, found), epochs.values, strict=True)
    ]
    both = xr.concat(wide, "epochs", data_vars="all", coords="different", compat="equals", join="exact").assign_attrs(
        found.attrs
    )
    seen = view.of(both)
    assert [seen.last(cell) for cell in seen.cells] == [2, 24]
    assert seen.end(seen.cells[0], "frechet").values == pytest.approx(short["frechet"].sel(kept=2).values)


def test_references_of_a_swept_number_of_images_are_those_of_the_run(study):
    found = made({"n_train": 500})
    one = found["reference_nearest"]
    wide = one * xr.DataArray([1.0, 2.0], {"n_train": found["n_train"].values}, ("n_train",))
    seen = view.of(found.assign(reference_nearest=wide))
    values = [float(seen.of_source("real", "nearest", cell).mean()) for cell in seen.cells]
    assert values[1] == pytest.approx(2 * values[0])


@pytest.mark.parametrize(
    ("text", "pixels", "shape"), [("2,2", 4, (2, 2)), ("", 9, (3, 3)), ("28,28", 5, (1, 5)), ("2,2,3", 12, (2, 2, 3))]
)
def test_the_shape_of_an_image(text, pixels, shape):
    found = generation_data.study([{}], pixels=pixels, shown=2, seeds=1).assign_attrs(image_shape=text)
    assert view.of(found).shape() == shape


def test_readers_do_not_import_the_study_s_model():
    root = Path(__file__).resolve().parents[2]
    names = {
        file.relative_to(root).as_posix()
        for file in map(Path, closure.closure(root / "advdyn/generation/claims.py", root))
    }
    assert "advdyn/generation/view.py" in names
    assert not names & {"advdyn/generation/model.py", "advdyn/generation/training.py", "advdyn/gan/networks.py"}
