"""The claims of the study turing are reproduced by data that satisfy them, and not where these are broken."""

import json

import numpy as np
import pytest
import xarray as xr

from advdyn.claims import assess
from advdyn.errors import InputError
from advdyn.intervals import interval
from advdyn.study import run
from advdyn.turing import view
from advdyn.turing.claims import CLAIMS, context
from tests import turing_data


@pytest.fixture(scope="module")
def study():
    return turing_data.study()


def table(study, *names):
    """Rows of the claims named, by claim."""
    chosen = [claim for claim in CLAIMS if not names or claim.name in {name.split("/")[0] for name in names}]
    return assess("turing", chosen, study, None).set_index("claim")


def verdict(study, name):
    return table(study, name).loc[name, "verdict"]


def at(study, **wanted):
    """Which runs have the coordinates wanted."""
    found = xr.ones_like(study["width"], dtype=bool)
    for name, value in wanted.items():
        found = found & (study[name] == value)
    return found


def changed(study, name, how, where=None, **wanted):
    """The study with a variable of some runs replaced by ``how`` of it, at the labels ``where`` of its dimensions."""
    there = at(study, **wanted)
    for dim, label in (where or {}).items():
        there = there & (study[dim] == label)
    values = study[name]
    return study.assign({name: xr.where(there, how(values), values).transpose(*values.dims)})


def set_to(value):
    return lambda values: xr.full_like(values, value)


def without(study, **wanted):
    """The study without some runs."""
    return study.isel(run=~at(study, **wanted).values)


WITH, ALONE, CHANGE, FINAL = {"adversary": "with"}, {"adversary": "without"}, {"stage": "change"}, {"stage": "final"}

HELD = (
    "theorem1/theory, mnist", "theorem2/theory, gaussian", "theorems_printed/Theorem 1, mnist",
    "theorems_printed/Theorem 2, teacher", "bounds_derived/B1a, theory", "bounds_derived/B3, theory",
    "bounds_derived/B4, theory", "bounds_derived/B4, full", "bounds_derived/B4v, full", "saturates/theory, mnist",
    "saturates/full, mnist, top layer", "saturates/full, mnist, adam, hidden layer", "keeps_growing/theory, mnist",
    "keeps_growing/theory, mnist, eta 0.05", "keeps_growing/full, mnist, top layer, eta 0.05",
    "farther/full, mnist, top layer", "width/theory, mnist, without", "width/theory, mnist, with",
    "width/full, mnist, with, top layer", "theorem3_printed/R^v, full, mnist", "theorem3_corrected/D^u, full, mnist",
    "theorem3_corrected/R^u, theory, mnist", "bernoulli_bounds/theory, mnist", "bernoulli_analogy/theory, mnist",
    "equilibrium_residual/theory, mnist, penalty 0.1", "equilibrium_residual/theory, mnist, penalty 10",
    "equilibrium/theory, mnist", "balance/full, mnist, top layer", "non_homogeneous/full, mnist, hidden layer",
    "stable/theory, mnist", "critic_must_move/theory, mnist", "critic_must_move/full, mnist, top layer",
    "plus_sign_unstable/theory, mnist, penalty 0.1", "plus_sign_stable/theory, mnist, penalty 10",
    "patterns/theory, mnist", "patterns_need_critic/theory, mnist, label-scaled",
    "patterns_need_critic/full, mnist, random-field", "patterns_need_critic/theory, mnist, frozen-critic",
    "patterns_from_data/theory, mnist, permuted pixels", "patterns_from_data/full, gaussian",
    "symmetry_kept/theory, mnist", "symmetry_kept/full, mnist, top layer",
    "symmetry_broken/full, mnist, top layer, participation", "symmetry_broken/theory, mnist, top share",
    "symmetry_broken/full, mnist, hidden layer, pca ratio", "local_interaction/theory, mnist", "synchronised/full, mnist",
)  # fmt: skip
REFUTED = (
    "theorem2_hypothesis/theory, mnist", "theorem3_printed/D^u, theory, mnist", "theorem3_printed/D^v, full, mnist",
    "turing_instability/theory, mnist", "turing_instability/full, mnist", "synthetic_patterns/theory, gaussian",
    "synthetic_patterns/full, gaussian",
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


def test_every_claim_has_a_known_answer(verdicts):
    testable = {claim.name for claim in CLAIMS if not claim.untestable}
    assert testable == {name.split("/")[0] for name in (*HELD, *REFUTED)}
    untestable = {claim.name for claim in CLAIMS if claim.untestable}
    assert set(verdicts[verdicts == "not testable"].index) == untestable


def steeper(power):
    """A quantity that grows with the width by a power more."""
    return lambda values: values * (values["width"] / 512.0) ** power


BROKEN = {
    # one run of one seed beyond the bound is enough
    "theorem1/theory, mnist": lambda s: changed(
        s, "ratio", set_to(1.01), {"seed": 2, "bound": "B1"}, width=2048, **ALONE
    ),
    "theorem2/theory, gaussian": lambda s: changed(s, "ratio", set_to(1.01), {"bound": "B2"}, dataset="gaussian"),
    "theorems_printed/Theorem 1, mnist": lambda s: changed(s, "prior_ratio", set_to(1.1), {"seed": 1}, **ALONE),
    "bounds_derived/B3, theory": lambda s: changed(s, "ratio", set_to(1.01), {"bound": "B3", "seed": 0}, eta=0.2),
    "bounds_derived/B4v, full": lambda s: changed(s, "ratio", lambda v: v * 1.5, {"bound": "B4v"}),
    "saturates/theory, mnist": lambda s: changed(s, "alpha_u", lambda v: v + 0.15, **ALONE),
    "keeps_growing/theory, mnist": lambda s: changed(s, "alpha_u", lambda v: v * 0.1, **WITH),
    "farther/full, mnist, top layer": lambda s: changed(s, "dv", lambda v: v * 0.27, **WITH),
    "width/theory, mnist, with": lambda s: s.assign(du=steeper(0.5)(s["du"]).astype(np.float32)),
    "width/full, mnist, with, top layer": lambda s: s.assign(dv=steeper(-0.25)(s["dv"]).astype(np.float32)),
    "theorem3_printed/R^v, full, mnist": lambda s: s.assign(reaction_v=steeper(0.5)(s["reaction_v"])),
    "theorem3_corrected/D^u, full, mnist": lambda s: s.assign(diffusion_u=steeper(1.0)(s["diffusion_u"])),
    "bernoulli_bounds/theory, mnist": lambda s: changed(s, "residual_ratio", set_to(1.2), {"seed": 3}),
    "bernoulli_analogy/theory, mnist": lambda s: s.assign(psi_bernoulli=s["psi_bernoulli"] * 1.01),
    "equilibrium_residual/theory, mnist, penalty 10": lambda s: s.assign(late_residual=s["late_residual"] * 0.7),
    "equilibrium/theory, mnist": lambda s: changed(s, "xi_relative", set_to(0.2), control="none", **WITH),
    "balance/full, mnist, top layer": lambda s: s.assign(alignment_v=s["alignment_v"] * 0.5),
    "non_homogeneous/full, mnist, hidden layer": lambda s: s.assign(du=xr.where(s["du"] > 0, s["du"] * 0 + 1, s["du"])),
    "stable/theory, mnist": lambda s: changed(s, "rate_live", set_to(0.01), sign="minus"),
    "critic_must_move/full, mnist, top layer": lambda s: changed(s, "alpha_v", set_to(0.2), control="frozen-critic"),
    "plus_sign_stable/theory, mnist, penalty 10": lambda s: changed(
        s, "diverged_at", set_to(50.0), {"seed": 0}, sign="plus", **WITH
    ),
    "patterns/theory, mnist": lambda s: changed(s, "moran", set_to(0.58), CHANGE, **ALONE),
    "patterns_need_critic/theory, mnist, label-scaled": lambda s: changed(
        s, "moran", set_to(0.58), CHANGE, control="label-scaled"
    ),
    "patterns_need_critic/full, mnist, random-field": lambda s: changed(
        s, "moran", set_to(0.65), CHANGE, control="random-field"
    ),
    "patterns_from_data/theory, mnist, permuted pixels": lambda s: changed(
        s, "moran", set_to(0.1), CHANGE, control="permuted-pixels"
    ),
    "patterns_from_data/full, gaussian": lambda s: changed(s, "moran", set_to(-0.1), CHANGE, dataset="gaussian"),
    "symmetry_kept/full, mnist, top layer": lambda s: changed(s, "participation_v", lambda v: v * 0.8, FINAL, **ALONE),
    "symmetry_broken/full, mnist, top layer, participation": lambda s: changed(
        s, "participation_v", set_to(290.0), FINAL, **WITH
    ),
    "symmetry_broken/theory, mnist, top share": lambda s: changed(s, "top_share_u", set_to(0.004), FINAL, **WITH),
    "local_interaction/theory, mnist": lambda s: changed(s, "off_diagonal", set_to(0.85), FINAL, **WITH),
    "synchronised/full, mnist": lambda s: changed(s, "sync_abs", lambda v: v * 0.6, **WITH),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_claim_broken_in_the_data_is_not_reproduced(study, name):
    assert verdict(BROKEN[name](study), name) == "not reproduced"


MENDED = {
    "theorem2_hypothesis/theory, mnist": lambda s: s.assign(hypothesis=s["hypothesis"] / 1000),
    "theorem3_printed/D^u, theory, mnist": lambda s: s.assign(diffusion_u=steeper(2.5)(s["diffusion_u"])),
    "turing_instability/theory, mnist": lambda s: changed(s, "rate_live", set_to(0.01), sign="minus"),
    "synthetic_patterns/theory, gaussian": lambda s: changed(s, "moran", lambda v: v + 0.2, CHANGE, **WITH),
}


@pytest.mark.parametrize("name", MENDED)
def test_a_claim_that_the_data_refute_holds_where_they_do_not(study, name):
    assert verdict(MENDED[name](study), name) == "reproduced"


BLIND = {
    "theorem2_hypothesis/theory, mnist": lambda s: s.assign(kappa=s["kappa"] / 1000),
    "saturates/theory, mnist": lambda s: s.assign(du=s["du"].max("time") * (s["time"] > 0)),
    "equilibrium_residual/theory, mnist, penalty 10": lambda s: s.assign(
        kappa=s["kappa"] * 0 + 1, mu_sup=s["late_residual"]
    ),
    "bernoulli_bounds/theory, mnist": lambda s: s.assign(lambda_0=s["lambda_0"] * 0),
    "bernoulli_analogy/theory, mnist": lambda s: s.assign(logistic=s["psi_numerical"]),
    "equilibrium/theory, mnist": lambda s: s.assign(xi_relative=s["xi_relative"] * 0),
    "stable/theory, mnist": lambda s: s.assign(rate_live=s["rate_live"] * 0, error=s["error"] * 0 + 1),
    "turing_instability/theory, mnist": lambda s: s.assign(
        rate_live=s["rate_live"] + 1, rate_frozen=s["rate_live"] + 1
    ),
    "critic_must_move/theory, mnist": lambda s: s.assign(alpha_u=s["alpha_u"] * 0),
    "plus_sign_unstable/theory, mnist, penalty 0.1": lambda s: s.assign(
        error=s["error"] * np.exp(s["time"] / 50)  # with either sign
    ),
    "patterns_from_data/theory, mnist, permuted pixels": lambda s: s.assign(moran_restored=s["moran"]),
    "symmetry_kept/theory, mnist": lambda s: changed(s, "participation_u", set_to(300.0), CHANGE),
}


@pytest.mark.parametrize("name", BLIND)
def test_a_claim_whose_control_passes_too_is_not_tested(study, name):
    found = table(BLIND[name](study), name).loc[name]
    assert found["verdict"] == "not tested"
    assert "the control passes too" in found["conditions"]


def test_growth_that_a_smaller_step_does_not_show_depends_on_the_step(study):
    name = "keeps_growing/theory, mnist"
    coarse = changed(study, "alpha_u", lambda v: v * 0, eta=0.05)
    found = table(coarse, name)
    assert found.loc[name, "verdict"] == "depends"
    assert "not at the smaller step size 0.05" in found.loc[name, "conditions"]
    assert found.loc[f"{name}, eta 0.05", "verdict"] == "not reproduced"
    # only a smaller one: what a larger step does says nothing against it
    assert verdict(changed(study, "alpha_u", lambda v: v * 0, eta=0.2), name) == "reproduced"


def test_patterns_that_supervision_shows_when_displaced_as_far_depend_on_it(study):
    same = changed(study, "moran", set_to(0.6), CHANGE, control="label-scaled", **WITH)
    found = table(same, "patterns").loc["patterns/theory, mnist"]
    assert found["verdict"] == "depends"
    assert "not beyond supervision with scaled labels" in found["conditions"]


def test_two_seeds_are_too_few(study):
    few = table(study.isel(seed=slice(2), run=at(study, net="theory", dataset="mnist").values))
    assert set(few["verdict"]) == {"not tested", "not testable"}
    assert few["n"].dropna().max() == 2


def test_runs_that_diverged_are_counted_and_left_out(study):
    lost = (study["seed"] == 1) & at(study, dataset="gaussian", net="theory", **WITH)
    diverged = study.assign(
        diverged_at=xr.where(lost, 40.0, study["diverged_at"]).transpose("run", "seed"),
        du=study["du"].where(~lost | (study["time"] < 40)), error=study["error"].where(~lost | (study["time"] < 40)),
        alpha_u=study["alpha_u"].where(~lost), xi_relative=study["xi_relative"].where(~lost, 1e9),
        asserted=xr.where(lost, 0.0, study["asserted"]).transpose("run", "bound", "seed"),
    )  # fmt: skip
    names = ("farther", "equilibrium", "keeps_growing", "theorem2")
    found = table(diverged, *names)
    for name in ("farther/theory, gaussian", "equilibrium/theory, gaussian", "keeps_growing/theory, gaussian"):
        assert found.loc[name, "n"] == 3
        assert "runs diverged, left out" in found.loc[name, "conditions"]
    assert (
        "3 runs of 1 settings; at the end 100 to 101 times the largest distance; 1 more diverged, left out"
        in found.loc["theorem2/theory, gaussian", "conditions"]
    )
    assert "1 more diverged, left out" in found.loc["theorem2/theory, gaussian", "conditions"]
    assert "5 of all 188 runs diverged" in context(diverged)
    whole = table(study, *names)
    assert "diverged" not in whole.loc["farther/theory, gaussian", "conditions"]
    assert found.loc["farther/theory, mnist", "measured"] == whole.loc["farther/theory, mnist", "measured"]


def test_dead_neurons_are_reported_and_not_averaged(study):
    one = table(study, "farther").loc["farther/theory, gaussian"]
    assert "dead neurons 1 of 512 and 1 of 512" in one["conditions"]
    dying = xr.DataArray(np.arange(study.sizes["neuron"]) < 300, dims="neuron") & at(study, dataset="gaussian", **WITH)
    dead = study.assign(du=xr.where(dying, 0.0, study["du"]).transpose(*study["du"].dims))
    other = table(dead, "farther").loc["farther/theory, gaussian"]
    assert other["measured"] == pytest.approx(one["measured"], abs=0.15)


def test_claims_whose_runs_are_not_in_the_grid_are_not_tested():
    found = table(turing_data.study([{"adversary": "without"}, {}], seeds=4))
    for name in ("width", "theorem3_printed", "plus_sign_unstable", "patterns_need_critic", "patterns_from_data",
                 "synthetic_patterns", "critic_must_move", "stable"):  # fmt: skip
        assert found.loc[name, "verdict"] == "not tested"
        assert "not in this study's grid" in found.loc[name, "conditions"]
    assert found.loc["patterns/theory, mnist", "verdict"] == "depends"
    assert "supervision with the same displacement was not run" in found.loc["patterns/theory, mnist", "conditions"]
    assert "step size not varied" in found.loc["keeps_growing/theory, mnist", "conditions"]


def test_a_study_without_the_adversary_asks_nothing_of_it():
    found = table(turing_data.study([{"adversary": "without", "penalty": 0.0, "adversary_weight": 0.0}]))
    assert found.loc["theorem1/theory, mnist", "verdict"] == "reproduced"
    assert found.loc["patterns", "verdict"] == "not tested"


def test_a_study_without_the_paper_s_sign_asks_nothing_of_it():
    found = table(turing_data.study([{"adversary": "without", "sign": "plus"}, {"sign": "plus"}]))
    for name in ("patterns", "equilibrium", "turing_instability"):
        assert found.loc[name, "verdict"] == "not tested"


def test_a_bound_whose_hypothesis_no_run_meets_is_not_tested(study):
    found = table(study.assign(asserted=study["asserted"] * 0), "theorem1", "theorem2", "bernoulli_bounds")
    assert set(found["verdict"]) == {"not tested"}
    assert "hypothesis not verified on 24 of 24 runs" in found.loc["theorem1/theory, mnist", "conditions"]


def test_runs_that_repeat_another_are_counted_once(study):
    words = table(study, "theorem1").loc["theorem1/theory, mnist", "conditions"]
    assert "24 runs of 6 settings" in words  # three widths, two more steps, and permuted pixels


def test_rows_of_one_pair_of_runs_share_their_error_rate(study):
    name = "farther/full, mnist, hidden layer"
    found = table(study, name).loc[name]
    both = study["du"].isel(run=list(view.of(study).pair("full", "mnist")), time=-1)
    moved = np.log(both.where(both > 0).mean("neuron")).diff("run").values.ravel()
    half = [interval(moved, level)[3] - moved.mean() for level in (0.05, 0.025)]
    assert found["measured"] == pytest.approx(moved.mean(), rel=1e-5)
    assert found["high"] - found["measured"] == pytest.approx(half[1], rel=1e-4)  # two layers
    assert half[1] > 1.2 * half[0]
    theory = table(study, name).loc["farther/theory, mnist"]
    alone = table(study.isel(run=at(study, net="theory", dataset="mnist").values), name).loc["farther/theory, mnist"]
    assert theory["high"] == pytest.approx(alone["high"])


def test_an_interval_that_decides_nothing_is_called_so(study):
    scattered = study["sync_abs"] + xr.DataArray([-0.6, 0.6, -0.5, 0.5], dims="seed") * at(study, net="full", **WITH)
    found = table(study.assign(sync_abs=scattered.transpose(*study["sync_abs"].dims)), "synchronised")
    assert found.loc["synchronised/full, mnist", "verdict"] == "not reproduced"
    assert "undecided at this number of seeds" in found.loc["synchronised/full, mnist", "conditions"]
    assert "undecided" not in found.loc["synchronised/theory, mnist", "conditions"]


def test_the_exponent_in_the_width_is_read_at_a_time_that_all_widths_reach(study):
    long = turing_data.study(
        [{"adversary": a, "width": m, "duration": t} for a in ("without", "with")
         for m, t in ((128, 300.0), (512, 300.0), (2048, 100.0))], seeds=4,
    )  # fmt: skip
    found = table(long, "width")
    assert "at t = 100;" in found.loc["width/theory, mnist, with", "conditions"]
    assert found.loc["width/theory, mnist, with", "verdict"] == "reproduced"
    two = without(study, width=2048)
    assert "width/theory, mnist, with" not in table(two, "width").index


def test_an_instability_must_show_within_the_run(study):
    slow = changed(study, "rate_live", set_to(0.001), sign="minus")
    found = table(slow, "turing_instability").loc["turing_instability/theory, mnist"]
    assert found["measured"] == pytest.approx(0.3)
    assert found["verdict"] == "not reproduced"


def test_the_flow_is_not_that_of_adam(verdicts):
    assert "turing_instability/full, mnist, adam" not in verdicts.index
    assert "equilibrium/full, mnist, adam" in verdicts.index


def test_a_critic_that_is_unstable_by_itself_is_no_turing_instability(study):
    names = ("turing_instability", "stable")
    learning = changed(study, "rate_live", set_to(0.02), sign="minus")
    assert verdict(learning, "turing_instability/theory, mnist") == "reproduced"
    alone = changed(learning, "rate_critic", set_to(0.03), sign="minus")
    found = table(alone, *names)
    assert found.loc["turing_instability/theory, mnist", "verdict"] == "not reproduced"
    # and where it is, the proposition has no premise
    assert found.loc["stable/theory, mnist", "n"] == 0
    assert "critic not at a minimum in 4 of 4 runs" in found.loc["stable/theory, mnist", "conditions"]


def test_the_plus_sign_is_unstable_before_it_has_blown_up(study):
    name = "plus_sign_unstable/theory, mnist, penalty 0.1"
    early = changed(study, "diverged_at", set_to(np.nan), sign="plus")
    early = changed(early, "error", set_to(1.0), sign="plus")
    assert verdict(early, name) == "reproduced"
    still = changed(early, "rate_live", set_to(0.0), {"seed": 2}, sign="plus")
    found = table(still, name).loc[name]
    assert (found["verdict"], found["measured"]) == ("not reproduced", 0.75)
    larger = changed(study, "error", lambda v: v.where(v["time"] > 0, 0.7 * v.max("time")), sign="plus", penalty=10.0)
    assert verdict(larger, "plus_sign_stable/theory, mnist, penalty 10") == "reproduced"  # an equilibrium, not growth


def test_a_diverged_run_without_a_jacobian_still_is_a_control(study):
    lost = study.assign(rate_live=study["rate_live"].where(study["diverged_at"].isnull()))
    assert verdict(lost, "stable/theory, mnist") == "reproduced"


def test_the_hypothesis_tells_by_what_factor_it_is_missed(study):
    found = table(study, "theorem2_hypothesis").loc["theorem2_hypothesis/theory, mnist"]
    mu, start = (study[v].isel(run=1) for v in ("mu_sup", "error"))
    expected = turing_data.KAPPA * mu / start.isel(time=0)
    assert found["measured"] == pytest.approx(float(np.exp(np.log(expected).mean())), rel=1e-9)


def test_every_figure_named_is_one_of_the_study_s():
    from advdyn.turing.model import FIGURES

    named = {claim.figure.removeprefix("turing/figures/").removesuffix(".png") for claim in CLAIMS if claim.figure}
    assert named <= set(FIGURES)


# --- the view ------------------------------------------------------------------------------------------------------


def test_an_empty_study_cannot_be_viewed(study):
    with pytest.raises(InputError, match="the study turing holds no run"):
        view.of(study.isel(run=slice(0)))
    with pytest.raises(InputError, match="the study turing holds no run"):
        view.of(study.assign(error=study["error"] * np.nan))
    assert context(study.isel(run=slice(0))) == ""
    assert set(table(study.isel(run=slice(0)))["verdict"]) == {"not tested", "not testable"}


def test_the_base_is_the_run_nearest_the_settings(study):
    seen = view.of(study)
    base = seen.rows[seen.base("theory", "mnist")]
    assert (base["width"], base["eta"], base["penalty"], base["control"]) == (512, 0.1, 10, "none")
    other = study.assign_attrs(reference=json.dumps({"width": 1500, "eta": 0.07, "penalty": 1.0}))
    far = view.of(other)
    row = far.rows[far.base("theory", "mnist")]
    assert (row["width"], row["eta"], row["penalty"]) == (
        512,
        0.1,
        10,
    )  # where no run has them: the one from which sweeps start
    assert far.base("theory", "fashion") is None
    assert far.base("full", "mnist", control="none", optimiser="adam") is not None


def test_a_pair_differs_in_nothing_but_the_adversary(study):
    seen = view.of(study)
    for wanted in ({}, {"width": 2048}, {"control": "permuted-pixels"}, {"control": "label-scaled"}):
        one, other = (seen.rows[run] for run in seen.pair("theory", "mnist", **wanted))
        different = {k for k in one if one[k] != other[k]}
        assert different <= {"adversary", "penalty", "adversary_weight"}
    # without an adversary its parameters have no effect, so that a run of another cell will do
    lone = turing_data.study([{"adversary": "without", "sign": "minus"}, {"sign": "plus", "penalty": 0.1}])
    assert view.of(lone).pair("theory", "mnist") == (0, 1)
    # but permuted pixels are other inputs
    other = turing_data.study([{"adversary": "without", "control": "permuted-pixels"}, {}])
    assert view.of(other).pair("theory", "mnist") is None


def test_a_family_differs_along_one_axis_only(study):
    seen = view.of(study)
    rows = [seen.rows[run] for run in seen.family("width", "theory", "mnist", "with")]
    assert [row["width"] for row in rows] == [128, 512, 2048]
    assert {row["eta"] for row in rows} == {0.1}
    assert [seen.rows[r]["eta"] for r in seen.family("eta", "theory", "mnist", "without")] == [0.05, 0.1, 0.2]
    assert [seen.rows[r]["penalty"] for r in seen.family("penalty", "theory", "mnist", "with")] == [0, 0.1, 10]
    assert seen.family("width", "theory", "fashion", "with") == []
    alone = {"adversary": "without"}
    mixed = view.of(turing_data.study([alone, alone | {"width": 128, "sign": "plus", "critic_rate": 0.3}]))
    assert mixed.family("width", "theory", "mnist", "without") == [1, 0]  # the critic's parameters have no effect


def test_a_stand_in_for_the_critic_is_compared_with_its_own_live_run(study):
    seen = view.of(study)
    base = seen.base("theory", "mnist")
    assert seen.stand_in(base, "frozen-critic")[0] == base
    other = view.of(turing_data.study([{}, {"width": 128}, {"width": 128, "control": "frozen-critic"}]))
    assert other.base("theory", "mnist") == 0
    assert other.stand_in(0, "frozen-critic") == (1, 2)
    assert other.stand_in(0, "random-field") is None


def test_a_run_is_read_over_its_own_times_seeds_and_neurons():
    mixed = turing_data.study([{"adversary": "with", "width": 64, "duration": 150.0}, {"width": 128}], seeds=3)
    mixed = mixed.assign(
        {v: mixed[v].where((mixed["run"] == 1) | (mixed["seed"] < 2)) for v in ("error", "du", "alpha_u")}
    )
    seen = view.of(mixed)
    assert dict(seen.at(0, "du").sizes) == {"seed": 2, "time": 11, "neuron": 64}
    assert dict(seen.at(1, "du").sizes) == {"seed": 3, "time": 17, "neuron": 128}
    assert seen.at(0, "alpha_u").sizes == {"seed": 2}
    assert seen.at(0, "nothing of the kind").sizes == {"seed": 0}
    assert seen.end(1, "error", 170.0).values == pytest.approx(seen.at(1, "error").sel(time=150.0).values)


def test_a_run_is_called_by_what_it_differs_in(study):
    seen = view.of(study)
    run = seen.twin(seen.base("theory", "mnist"), sign="plus", penalty=0.1)
    assert seen.words(run) == "theory, mnist, with adversary, sign plus, penalty 0.1"
    assert seen.label(run) == r"theory, mnist, with adversary, sign plus, $\lambda$ 0.1"
    assert seen.words(seen.base("theory", "mnist", "without", sign="plus")) == "theory, mnist, without adversary"
    assert seen.twin(run, control="frozen-critic") is None


def test_another_swept_parameter_tells_runs_apart(study):
    two = turing_data.study([{"adversary": "without"}, {}, {"adversary": "without"}, {}])
    two = two.assign_coords(form=("run", ["span", "span", "plain", "plain"]), fold=("run", [1.0, 1.0, 2.0, 2.0]))
    seen = view.of(two)
    assert seen.pair("theory", "mnist", form="plain") == (2, 3)
    assert seen.family("fold", "theory", "mnist", form="plain") == [3]


@pytest.mark.parametrize("files", [[], ["config/paper.yaml"]], ids=["default", "paper"])
@pytest.mark.parametrize("net", ["theory", "full"])
def test_in_the_shipped_studies_sweeps_and_controls_start_from_the_run_that_claims_start_from(files, net):
    sweep = run.load(files).studies["turing"]
    names = view.COORDINATES
    rows = []
    for place in sweep._places:  # every cell with its lanes
        for adversary in place.lanes.get("adversary", {sweep.settings.adversary}):
            for penalty in place.lanes.get("penalty", {sweep.settings.penalty}):
                values = {n: place.sets.get(n, getattr(sweep.settings, n)) for n in names}
                rows.append(values | {"adversary": adversary, "penalty": penalty})
    frame = {n: ("run", [row[n] for row in rows]) for n in names}
    error = xr.DataArray(np.ones((len(rows), 1, 1)), dims=("run", "seed", "time"))
    study = xr.Dataset({"error": error}, frame | {"seed": [0], "time": [0.0]})
    study.attrs["reference"] = json.dumps({n: getattr(sweep.settings, n) for n in names})
    seen = view.of(study)
    pair = seen.pair(net, "mnist", sign="minus")
    assert len(seen.family("eta", net, "mnist")) >= 2
    assert len(seen.family("width", net, "mnist")) >= 3
    if net == "full":
        for control in ("label-scaled", "frozen-critic", "random-field", "permuted-pixels"):
            assert seen.stand_in(pair[1], control)[0] == pair[1]
    jobs = [(sweep.at("train", job.cell), job.block) for job in sweep.jobs("train")]
    shown = [model for (model, _), kept in zip(jobs, sweep.model.steps["illustrate"].takes(jobs), strict=True) if kept]
    of = [m for m in shown if (m.net, m.dataset, m.inputs, m.control) == (net, "mnist", "unit", "none")]
    assert [(m.width, m.eta) for m in of] == [tuple(seen.rows[pair[1]][n] for n in ("width", "eta"))]


def test_a_study_of_which_only_the_training_is_done_has_a_ledger():
    """As ``make partial`` collects it: no job of the bounds, or none of the diagnostics, has finished."""
    study = turing_data.study()
    bounds = [v for v in study if {"bound", "delta", "layer"} & set(study[v].dims) or v.startswith(("psi", "residual"))]
    diagnosed = [v for v in study if {"stage", "eigenvalue", "wavenumber"} & set(study[v].dims)]
    for left in (study.drop_vars(bounds), study.drop_vars(diagnosed), study.drop_vars([*bounds, *diagnosed])):
        left = left.drop_dims(
            ["bound", "delta", "layer"] if left.attrs and "ratio" not in left else [], errors="ignore"
        )
        assert set(table(left)["verdict"]) <= {"reproduced", "not reproduced", "depends", "not tested", "not testable"}
