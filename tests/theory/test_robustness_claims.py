"""The claims on networks under attack are reproduced by data that satisfy them, and not where these are broken."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from advdyn.claims import assess
from advdyn.robustness import view
from advdyn.robustness.claims import CLAIMS, context
from tests import robustness_data


@pytest.fixture(scope="module")
def study():
    return robustness_data.study()


def table(study, *names):
    """Rows of the claims named, by claim."""
    chosen = [claim for claim in CLAIMS if not names or claim.name in {name.split("/")[0] for name in names}]
    return assess("robustness", chosen, study, None).set_index("claim")


def verdict(study, name):
    return table(study, name).loc[name, "verdict"]


def at(study, model=None, training=None, eps_train=None, n_train=None):
    """Where the runs of some points are."""
    wanted = {"model": model, "training": training, "eps_train": eps_train, "n_train": n_train}
    found = xr.ones_like(study["clean_error"].isel(seed=0, drop=True), dtype=bool)
    for name, value in wanted.items():
        found = found if value is None else found & (study[name] == value)
    return found


def changed(study, name, how, **point):
    """The study with one variable of some points replaced by ``how`` of it."""
    there = at(study, **point)
    return study.assign({name: xr.where(there, how(study[name]), study[name]).transpose(*study[name].dims)})


HELD = (
    "constructed_examples/mlp-256", "noise_is_weak/cnn", "confident_mistakes/mlp-64", "targeted/mlp-256",
    "fooling/mlp-256", "single_step/standard", "monotone", "excessive_linearity/mlp-256", "dimension/softmax, shift eps|g|_1",
    "dimension/mlp-64, 1/eps that breaks half", "regulariser/mlp-256, n=500", "regulariser_beyond_noise/mlp-256, n=500",
    "local_constancy/mlp-256, train", "local_constancy/mlp-256, test", "local_constancy/mlp-256, far",
    "linear_cannot_resist/softmax, eps=0.2", "networks_resist/mlp-64", "capacity/width at depth 1, pgd",
    "capacity/depth at width 256, fgsm", "protects/pgd, mlp-256", "protects/fgsm-minmax, mlp-256",
    "protects_fgsm/fgsm, cnn", "variants_protect/random-eps, mlp-256", "variants_protect/nonrobust, mlp-256",
    "masked_gradients/fgsm-minmax, eps=0.3", "transfers/mlp-256/standard/0", "transfer_asymmetry/mlp-256, fgsm",
    "surrogate/mlp-256/standard/0",
)  # fmt: skip


@pytest.fixture(scope="module")
def verdicts(study):
    return table(study)["verdict"]


@pytest.mark.parametrize("name", HELD)
def test_a_claim_that_holds_is_reproduced(verdicts, name):
    assert verdicts[name] == "reproduced"


def test_a_claim_that_the_data_refute_is_not(verdicts):
    assert verdicts["imperceptible/eps=0.007"] == "not reproduced"
    assert verdicts["hard_to_defend"] == "not reproduced"  # these made-up defences are better than any
    assert verdicts["masked_gradients/fgsm, eps=0.3"] == "not reproduced"


def halved(values):
    return values * 0.5


BROKEN = {
    "constructed_examples/mlp-256": lambda s: changed(s, "bound", lambda v: v * 0.98, model="mlp-256"),
    "noise_is_weak/cnn": lambda s: s.assign(
        error=xr.where((s["attack"] == "signs") & (s["model"] == "cnn"), s["error"] + 0.2, s["error"])
    ),
    "confident_mistakes/mlp-64": lambda s: changed(s, "confidence", lambda v: v * 0 + 0.9, model="mlp-64"),
    "targeted/mlp-256": lambda s: changed(s, "target_rate", halved, model="mlp-256"),
    "fooling/mlp-256": lambda s: changed(s, "fooling_share", halved, model="mlp-256"),
    "single_step/standard": lambda s: s.assign(
        error=xr.where((s["attack"] == "fgsm") & (s["training"] == "standard"), s["error"] * 0.8, s["error"])
    ),
    "monotone": lambda s: s.assign(bound=xr.where((s["eps"] == 0.2) & (s["norm"] == "linf"), 0.5, s["bound"])),
    "excessive_linearity/mlp-256": lambda s: changed(s, "linear_share", halved, model="mlp-256"),
    "dimension/softmax, shift eps|g|_1": lambda s: s.assign(
        scaled_gradient_l1=s["scaled_gradient_l1"] / s["resolution"]
    ),
    "dimension/mlp-64, 1/eps that breaks half": lambda s: s.assign(
        half_eps_correct=s["half_eps_correct"] * s["resolution"] ** 0.8
    ),
    "regulariser/mlp-256, n=500": lambda s: changed(
        s, "clean_error", lambda v: v + 0.05, model="mlp-256", training="fgsm", n_train=500
    ),
    "regulariser_beyond_noise/mlp-256, n=500": lambda s: changed(
        s, "clean_error", lambda v: v - 0.05, model="mlp-256", training="sign-noise", n_train=500
    ),
    "local_constancy/mlp-256, test": lambda s: changed(
        s, "gradient_l1", lambda v: v * 3.2, model="mlp-256", training="fgsm"
    ),
    "linear_cannot_resist/softmax, eps=0.2": lambda s: changed(
        s, "bound", lambda v: v * 0.4, model="softmax", training="pgd", eps_train=0.2
    ),
    "networks_resist/mlp-64": lambda s: changed(s, "bound", lambda v: v * 0 + 0.99, model="mlp-64"),
    "capacity/width at depth 1, pgd": lambda s: changed(s, "bound", lambda v: v * 0 + 0.2, training="pgd"),
    "capacity/depth at width 256, fgsm": lambda s: changed(
        s, "bound", lambda v: v + 0.05, model="mlp-256x3", training="fgsm"
    ),
    "protects/pgd, mlp-256": lambda s: changed(s, "bound", lambda v: v * 0 + 0.95, model="mlp-256", training="pgd"),
    "protects_fgsm/fgsm, cnn": lambda s: changed(s, "error", lambda v: v * 0 + 0.95, model="cnn", training="fgsm"),
    "variants_protect/nonrobust, mlp-256": lambda s: changed(s, "bound", lambda v: v * 0 + 0.95, training="nonrobust"),
    "masked_gradients/fgsm-minmax, eps=0.3": lambda s: s.assign(masking=s["masking"] * 0),
    "transfers/mlp-256/standard/0": lambda s: s.assign(transfer_error=s["transfer_error"] * 0.1),
    "transfer_asymmetry/mlp-256, fgsm": lambda s: s.assign(
        transfer_error=(s["transfer_error"].dims, s["transfer_error"].values.swapaxes(0, 1))
    ),
    "surrogate/mlp-256/standard/0": lambda s: s.assign(surrogate_error=s["surrogate_error"] * 0.2),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_claim_broken_in_the_data_is_not_reproduced(study, name):
    assert verdict(BROKEN[name](study), name) == "not reproduced"


def test_hard_to_defend_holds_where_the_best_defence_is_still_broken(study):
    weak = study.assign(bound=np.maximum(study["bound"], 0.4 * (study["eps"] >= 0.1)))
    assert verdict(weak, "hard_to_defend") == "reproduced"


def test_imperceptible_holds_where_such_an_attack_suffices(study):
    fragile = study.assign(bound=xr.where(study["eps"] > 0, 1.0, study["bound"]))
    found = table(fragile, "imperceptible")
    assert set(found["verdict"]) == {"reproduced"}
    assert set(found.index) == {"imperceptible/eps=0.007", "imperceptible/eps=2/255"}


def same_noise(study, factor=1.0):
    """Random signs that do what attacks do."""
    strong = study["error"].sel(attack="pgd", drop=True) * factor
    return study.assign(
        error=xr.where(study["attack"] == "signs", strong, study["error"]).transpose(*study["error"].dims)
    )


BLIND = {
    "constructed_examples/mlp-256": same_noise,
    "noise_is_weak/cnn": lambda s: s.assign(error=xr.where(s["attack"] == "fgsm", s["clean_error"], s["error"])),
    "confident_mistakes/mlp-64": lambda s: s.assign(
        confidence=xr.where(s["attack"] == "signs", s["confidence"].sel(attack="pgd", drop=True), s["confidence"])
    ),
    "single_step/standard": same_noise,
    "local_constancy/mlp-256, test": lambda s: changed(s, "gradient_l1", lambda v: v * 0.3, training="sign-noise"),
    "linear_cannot_resist/softmax, eps=0.2": lambda s: s.assign(
        bound=xr.where(s["training"] != "standard", 0.9, s["bound"])
    ),
    "masked_gradients/fgsm-minmax, eps=0.3": lambda s: changed(s, "masking", lambda v: v * 0 + 2, model="softmax"),
    "masked_gradients/fgsm-minmax, eps=0.2": lambda s: changed(
        s.sel(eps_train=[0.0, 0.05, 0.1, 0.2]), "masking", lambda v: v * 0 + 4, training="standard"
    ),
    "fooling/mlp-256": lambda s: s.assign(fooling_start_share=s["fooling_share"]),
    "fooling/mlp-64": lambda s: s.drop_vars("fooling_start_share").assign(fooling_steps=s["fooling_steps"] * 0),
    "hard_to_defend": lambda s: s.assign(
        bound=np.maximum(s["bound"], 0.4 * (s["eps"] >= 0.1)),
        error=xr.where((s["attack"] == "signs") & (s["eps"] > 0), 0.9, s["error"]),
    ),
    "targeted/mlp-256": lambda s: s.assign(target_rate=s["target_rate"] * 0 + 0.95),
    "surrogate/mlp-256/standard/0": lambda s: s.assign(
        noise_error=s["noise_error"] + 0.3 * (s["transfer_eps"] > 0), surrogate_error=s["surrogate_error"] + 0.5
    ),
}


@pytest.mark.parametrize("name", BLIND)
def test_a_claim_whose_control_passes_too_is_not_tested(study, name):
    found = table(BLIND[name](study), name).loc[name]
    assert found["verdict"] == "not tested"
    assert "the control passes too" in found["conditions"]


def test_the_premise_of_a_small_clean_error_is_required(study):
    poor = changed(study, "clean_error", lambda v: v + 0.2, model="mlp-256")
    found = table(poor, "constructed_examples").loc["constructed_examples/mlp-256"]
    assert found["verdict"] == "not tested"
    assert "no premise" in found["conditions"]


def test_two_runs_are_too_few(study):
    few = table(study.isel(seed=slice(2)), "protects", "constructed_examples", "regulariser")
    assert set(few["verdict"]) == {"not tested"}
    assert (few["n"] == 2).all()


def test_a_paired_difference_counts_the_seeds_that_both_have(study):
    shorter = changed(study, "clean_error", lambda v: v.where(v["seed"] != 1), model="mlp-256", training="fgsm")
    assert table(shorter, "regulariser").loc["regulariser/mlp-256, n=500", "n"] == 3


def test_rows_of_paired_differences_share_their_error_rate(study):
    alone = study.sel(model=["mlp-256"], n_train=[500])
    wide, narrow = (table(s, "regulariser").loc["regulariser/mlp-256, n=500"] for s in (study, alone))
    assert wide["measured"] == pytest.approx(narrow["measured"])
    assert wide["high"] - wide["low"] > narrow["high"] - narrow["low"]


def test_the_better_noise_is_the_control_of_regularisation(study):
    found = table(study, "regulariser_beyond_noise").loc["regulariser_beyond_noise/mlp-256, n=3500"]
    point = study.sel(model="mlp-256", n_train=3500, eps_train=0.05)["clean_error"].mean("seed")
    best = min(float(point.sel(training=t)) for t in ("sign-noise", "uniform-noise"))
    assert found["measured"] == pytest.approx(float(point.sel(training="fgsm")) - best, abs=1e-7)


def test_a_study_of_one_plain_model_leaves_the_rest_untested():
    found = table(robustness_data.tiny())["verdict"]
    assert set(found.drop(["monotone"])) == {"not tested", "not testable"}
    assert found["monotone"] == "reproduced"


def test_a_study_in_which_every_run_diverged_is_untested():
    study = robustness_data.tiny()
    lost = study.assign({v: study[v] * np.nan for v in study.data_vars if study[v].dtype.kind == "f"})
    assert set(table(lost)["verdict"]) == {"not tested", "not testable"}
    assert context(lost) == ""


def test_every_axis_beyond_a_point_is_a_model_of_its_own(study):
    two = xr.concat(
        [study, study], xr.Variable("batch", [50, 100]), data_vars="all", coords="minimal", compat="override"
    )
    seen = view.of(two)
    assert "mlp-256, batch=50" in seen.models
    assert view.architecture("mlp-256, batch=50") == ("mlp", 256, 1)
    assert verdict(two, "protects/pgd, mlp-256, batch=100") == "reproduced"


def test_the_context_says_what_was_fixed(study):
    assert context(study) == (
        "1000 test images, attacked images clipped to the pixel range, 3500 training images where not said, "
        "eps_reference 0.1"
    )


def test_attacks_are_found_by_what_they_are(study):
    roles = view.of(study).roles
    assert (roles.single, roles.iterated, roles.noise, roles.targeted) == ("fgsm", "pgd", "signs", "targeted")
    assert (roles.single_l2, roles.iterated_l2, roles.noise_l2) == ("fgm-l2", "pgd-l2", "signs-l2")
    assert view.of(study.isel(attack=[1, 6])).roles == view.Roles(None, None, "uniform", None, None, None, None)


def test_damage_is_counted_from_the_attacked_images_without_attack(study):
    names = ("noise_is_weak", "single_step", "linear_cannot_resist", "hard_to_defend")
    other = table(study.assign(clean_error=study["clean_error"] + 0.05), *names)
    pd.testing.assert_frame_equal(other, table(study, *names))
    seen = view.of(study.assign(clean_error=study["clean_error"] + 0.05))
    point = seen.where(model="cnn", training="pgd", eps_train=0.1)[0]
    found = table(study, "hard_to_defend").loc["hard_to_defend"]
    assert "(of the same images)" in found["conditions"]
    np.testing.assert_allclose(seen.unattacked(point), seen.number(point, "clean_error") - 0.05, atol=1e-6)


def test_without_attack_any_attack_will_do_that_a_seed_has(study):
    lost = (study["attack"] == "fgsm") | ((study["seed"] == 3) & (study["attack"] != "uniform"))
    seen = view.of(study.assign(error=study["error"].where(~lost)))
    found = seen.unattacked(seen.points[0])
    assert found["seed"].values.tolist() == [0, 1, 2, 3]
    assert found.notnull().all()
    none = view.of(study.assign(error=study["error"].where(study["eps"] > 0)))
    assert none.unattacked(none.points[0]).size == 0


def test_deviations_from_linearity_do_not_cancel(study):
    bent = study.assign(linearity=study["linearity"] * 0 + 1, linear_share=study["linear_share"] * 0.3)
    found = table(bent, "excessive_linearity")
    assert set(found["verdict"]) == {"not reproduced"}
    assert "mean ratio of the margin's fall to its tangent's 1," in found.iloc[0]["conditions"]
    assert table(study.drop_vars("linear_share"), "excessive_linearity")["verdict"].tolist() == ["not tested"]


@pytest.mark.parametrize(("clip", "factor"), [((True, False), 0.9), ((True,), 1.0)])
def test_linearity_is_read_where_half_of_the_images_are_broken_without_a_box(clip, factor):
    made = robustness_data.study(clip=clip, transfer=False, scale=False)
    seen = view.of(made)
    point = seen.where(model="cnn", training="standard")[0]
    eps = view.crossing(seen.bound(point, clip=clip[-1]), 0.5)
    assert eps == pytest.approx(0.06 * factor, rel=0.1)
    found = table(made, "excessive_linearity").loc["excessive_linearity/cnn"]
    assert f"broken at eps {eps:.3g}" in found["conditions"]
    assert ("(clipped)" in found["conditions"]) == (clip == (True,))
    assert found["measured"] == pytest.approx(1 / (1 + (eps / 0.15) ** 2), abs=0.02)


def test_fooling_reports_adversarial_training_and_does_without_the_start(study):
    found = table(study, "fooling").loc["fooling/mlp-256", "conditions"]
    assert "; fgsm 0.1: 60 %" in found
    assert "; pgd 0.1: 60 %" in found
    assert "control 0.02" in found
    older = table(study.drop_vars("fooling_start_share"), "fooling").loc["fooling/mlp-256"]
    assert older["verdict"] == "reproduced"
    assert "control 0.5" in older["conditions"]


def test_a_weak_single_step_alone_masks_nothing(study):
    found = table(study, "masked_gradients").loc["masked_gradients/fgsm, eps=0.3"]
    assert found["measured"] == 0
    assert "FGSM below the iterated attack of the same eps in 100 %" in found["conditions"]


COLLAPSING = (
    "masked_gradients/fgsm-minmax, eps=0.3", "networks_resist/mlp-256", "protects/pgd, mlp-256",
    "protects_fgsm/pgd, mlp-256",
)  # fmt: skip


@pytest.mark.parametrize("name", COLLAPSING)
def test_runs_that_predict_a_constant_are_no_evidence(study, name):
    trained = (study["model"] == "mlp-256") & (study["training"] != "standard")
    every, two = (
        study.assign(clean_error=xr.where(trained & (study["seed"] < n), 0.9, study["clean_error"])) for n in (9, 1)
    )
    found = table(every, name).loc[name]
    assert (found["verdict"], found["n"]) == ("not tested", 0)
    assert "predict a constant" in found["conditions"]
    rest = table(two, name).loc[name]
    assert rest["n"] == table(study, name).loc[name, "n"] - 1
    assert "runs predict a constant (error of at least 90 % of its), left out" in rest["conditions"]


def test_linear_as_far_as_was_looked_is_linear(study):
    found = table(study.assign(linear_share=study["linear_share"] * 0 + 1), "excessive_linearity")
    assert set(found["verdict"]) == {"reproduced"}


def test_capacity_by_runs_that_learned_nothing_depends(study):
    small = changed(study, "clean_error", lambda v: v * 0 + 0.9, model="mlp-16", training="pgd")
    found = table(small, "capacity")
    assert found.loc["capacity/width at depth 1, pgd", "verdict"] == "depends"
    assert found.loc["capacity/width at depth 1, fgsm", "verdict"] == "reproduced"


def test_two_widths_have_a_slope_and_one_has_none(study):
    two = table(study.sel(model=["mlp-16", "mlp-256"]), "capacity")
    assert two.loc["capacity/width at depth 1, pgd", "verdict"] == "reproduced"
    depth = table(study.sel(model=["mlp-256", "mlp-256x3"]), "capacity")
    assert (depth.loc["capacity/width", "verdict"], depth.loc["capacity/width", "n"]) == ("not tested", 0)
    assert "capacity/depth at width 256, pgd" in depth.index


def test_an_interval_on_both_sides_is_called_undecided(study):
    words = "undecided at this number of seeds"
    wild = xr.DataArray([-0.3, 0.3, 0.1, -0.1], {"seed": study["seed"]})
    trained = study["training"].isin(["fgsm", "pgd"])
    alone = trained & (study["model"] == "mlp-64")
    shape = study["transfer_error"].shape
    shaken = study.assign(
        clean_error=study["clean_error"] + 0.1 * wild * trained,
        bound=xr.where(alone, 0.5 + wild, study["bound"]).transpose(*study["bound"].dims),
        transfer_error=(study["transfer_error"].dims, np.random.default_rng(0).uniform(0.2, 0.8, shape)),
    )
    names = ("regulariser", "regulariser_beyond_noise", "networks_resist", "transfer_asymmetry")
    loose, tight = (table(s, *names) for s in (shaken, study))
    for name in (
        "regulariser/mlp-256, n=500", "regulariser_beyond_noise/mlp-256, n=500", "networks_resist/mlp-64",
        "transfer_asymmetry/mlp-256, fgsm",
    ):  # fmt: skip
        assert words in loose.loc[name, "conditions"]
        assert loose.loc[name, "verdict"] != "reproduced"
        assert words not in tight.loc[name, "conditions"]


@pytest.mark.parametrize("kept", [[7, 14, 28], [7, 14, 28, 56]])
def test_growth_with_the_number_of_pixels_is_told_from_exchanged_sizes(study, kept):
    found = table(study.sel(resolution=kept), "dimension")
    assert set(found["verdict"]) == {"reproduced"}
    assert found.loc["dimension/softmax, shift eps|g|_1", "measured"] == pytest.approx(0.5, abs=0.03)


def test_crossings_lie_between_the_listed_sizes():
    curve = xr.DataArray([[0.1, 0.3, 0.7]], {"seed": [0], "eps": [0.0, 0.1, 0.2]}, ("seed", "eps"))
    assert view.crossing(curve, 0.5) == pytest.approx(0.15)
    assert view.crossing(curve, 0.05) == 0.0
    assert np.isnan(view.crossing(curve, 0.8))
