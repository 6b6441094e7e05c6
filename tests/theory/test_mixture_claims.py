"""The claims on the mixture are reproduced by data that satisfy them, and not by data in which they are broken."""

import numpy as np
import pytest
import xarray as xr

from advdyn.claims import assess
from advdyn.mixture import agreement, finite_size, simulation, theory
from advdyn.mixture.claims import CLAIMS

POINT = {"prior": [0.5, 0.7], "rho": 2.0, "v1": 1.0, "v2": 1.0, "eta_w": 1.0, "eta_b": 0.2, "eps_train": [0.0, 1.0],
         "R0": 0.0, "b0": 0.0}  # fmt: skip
TIMES = {"alpha": [0.0, 5.0, 20.0], "eps": [0.0, 0.5, 1.0, 2.0], "eps_report": 1.0}


@pytest.fixture(scope="module")
def data():
    """A study of 40 lumped runs and 8 full ones, and its finite-size part; the learning rate gives the controls power."""
    runs = [
        simulation.run(**POINT, **TIMES, simulator=s, dimension=1000, full_alpha_max=5.0, test_examples=2000, root=3,
                       seeds=list(range(n)), device="cpu", dtype="float32").expand_dims(simulator=[s])
        for s, n in (("lumped", 40), ("full", 8))
    ]  # fmt: skip
    predicted = theory.run(**POINT, **TIMES, rtol=1e-8)
    study = xr.merge([xr.combine_by_coords(runs, join="outer", combine_attrs="override", compat="no_conflicts",
                                           data_vars="all", coords="different"), predicted], join="outer", compat="override")  # fmt: skip
    study = study.assign_coords(dimension=1000, rho=2.0, v1=1.0, v2=1.0, eps_report=1.0, test_examples=2000)
    for name in agreement.PARAMETERS:
        study[f"{name}_sd_theory"] = (study[f"C_{name}{name}"] / 1000) ** 0.5
    scaling = finite_size.run(**POINT, scaling_dimensions=[100, 1000, 4000], scaling_alpha=4.0, scaling_seeds=256,
                              potential_dimensions=[2, 5], potential_examples=2000, root=3)  # fmt: skip
    return study, scaling


def verdicts(study, scaling):
    return assess("mixture", CLAIMS, study, scaling).set_index("claim")["verdict"].to_dict()


def test_claims_that_hold_are_reproduced(data):
    found = verdicts(*data)
    for claim in ("potential_gaussian", "self_averaging/R", "self_averaging/b", "ode_is_simulation/lumped",
                  "evaluation_measures", "monotone_robustness/theory", "monotone_robustness/sampled examples"):  # fmt: skip
        assert found[claim] == "reproduced", (claim, found[claim])
    assert found["training_lowers_S/prior 0.7, alpha 20"] == "reproduced"


def shifted(study, name, by):
    return study.assign({name: study[name] + by})


@pytest.mark.parametrize(
    ("claim", "harm"),
    [
        ("ode_is_simulation/lumped", lambda study, scaling: (shifted(study, "R_sim", 0.01), scaling)),
        ("evaluation_measures", lambda study, scaling: (shifted(study, "test_error_sampled", 0.02), scaling)),
        ("potential_gaussian", lambda study, scaling: (study, scaling.assign(potential=scaling["potential"] * 1.1))),
        ("self_averaging/R", lambda study, scaling: (
            study, scaling.assign(R_scaling=scaling["R_scaling"] * scaling["dimension"] ** 0.5))),
        ("monotone_robustness/theory", lambda study, scaling: (
            study.assign(robustness_ode=study["robustness_ode"] - 0.8 * (study["eps"] > 1)), scaling)),
        ("training_lowers_S/prior 0.7, alpha 20", lambda study, scaling: (
            study.assign(adversarial_error_report_sim=study["adversarial_error_report_sim"] + 0.3 * study["eps_train"]), scaling)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_claim_broken_in_the_data_is_not_reproduced(data, claim, harm):
    assert verdicts(*harm(*data))[claim] == "not reproduced"


def test_points_where_theory_predicts_large_fluctuations_have_a_row_of_their_own(data):
    study, scaling = data
    point = (study["prior"] == 0.5) & (study["eps_train"] == 1.0)
    torn = study.assign(b_sd_theory=xr.where(point, 1.0, study["b_sd_theory"]), R_sim=study["R_sim"] + 0.01 * point)
    found = verdicts(torn, scaling)
    assert found["ode_is_simulation/lumped"] == "reproduced"
    assert found["ode_is_simulation/lumped, unstable trajectory"] == "not reproduced"


def test_without_the_exact_second_order_there_is_no_power_and_it_is_said(data):
    study, scaling = data
    blind = study.assign({f"{n}_ode": xr.where(study["order"] == "first", study[f"{n}_ode"].sel(order="exact"),
                                               study[f"{n}_ode"]) for n in agreement.PARAMETERS})  # fmt: skip
    assert verdicts(blind, scaling)["ode_is_simulation/lumped"] == "not tested"


def test_a_study_without_the_full_stream_or_standard_training_leaves_those_claims_untested(data):
    study, scaling = data
    lumped = study.sel(simulator="lumped", eps_train=1.0).drop_vars([v for v in study if str(v).endswith("_sampled")])
    found = verdicts(lumped, scaling)
    assert found["evaluation_measures"] == "not tested"
    assert found["training_lowers_S"] == "not tested"
    assert np.isin(list(found.values()), ["reproduced", "not tested", "not reproduced"]).all()
