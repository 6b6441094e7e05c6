"""Simulation and theory of the same system agree, within the standard error over independent runs.

Every test is a family of two-sided t-tests of the mean over seeds against an ODE, Bonferroni-corrected to an error
rate of 1e-3 for the family; seeds are fixed. Lanes share random numbers and times share trajectories, which leaves
the correction valid. The O(1/N) bias of the ODE would show from about 1,000 seeds at N = 1000; fewer are used.
"""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from advdyn.mixture import agreement, simulation, theory

RATE = 1e-3
POINT = {"prior": [0.5, 0.7], "rho": 2.0, "v1": 1.0, "v2": 1.0, "eta_w": 0.04, "eta_b": 0.2, "eps_train": [0.0, 1.0],
         "R0": 0.0, "b0": 0.0, "eps": [0.0, 1.0], "eps_report": 1.0}  # fmt: skip


def smallest_p(simulator, order, times, runs, eta_w=0.04, dimension=1000):
    """The corrected p-value of the family: both order parameters, both scenarios, both trainings, all times."""
    point = POINT | {"eta_w": eta_w, "alpha": [0.0, *times]}
    sampled = simulation.run(
        **point, simulator=simulator, dimension=dimension, full_alpha_max=max(times), test_examples=400,
        root=7, seeds=list(range(runs)), device="cpu", dtype="float32" if simulator == "full" else "float64",
    )  # fmt: skip
    predicted = theory.run(**point, rtol=1e-8)
    study = xr.merge([sampled.assign_coords(dimension=dimension), predicted], compat="override", join="outer")
    for name in agreement.PARAMETERS:
        study[f"{name}_sd_theory"] = study[f"C_{name}{name}"]
    z = agreement.scores(study)["z"].sel(order=order, alpha=times).values.ravel()
    assert np.isfinite(z).all()
    return min(1.0, z.size * float((2 * stats.t.sf(np.abs(z), runs - 1)).min()))


@pytest.mark.parametrize(
    ("simulator", "times", "runs"), [("lumped", [5.0, 20.0, 100.0], 64), ("full", [5.0, 20.0], 16)]
)
def test_both_scenarios_follow_the_exact_equations(simulator, times, runs):
    assert smallest_p(simulator, "exact", times, runs) > RATE


@pytest.mark.parametrize(("simulator", "runs"), [("lumped", 64), ("full", 16)])
def test_at_a_large_learning_rate_the_exact_equations_hold_and_the_first_order_is_rejected(simulator, runs):
    times = [2.0, 10.0]
    assert smallest_p(simulator, "exact", times, runs, eta_w=1.0) > RATE
    assert smallest_p(simulator, "first", times, runs, eta_w=1.0) < RATE


def test_the_spread_over_runs_is_the_predicted_one():
    """Variance over 256 runs at N = 1000 against C/N, chi-squared interval at the error rate of the family."""
    runs, times = 256, [5.0, 50.0]
    point = POINT | {"alpha": [0.0, *times]}
    sampled = simulation.run(
        **point, simulator="lumped", dimension=1000, full_alpha_max=1.0, test_examples=400, root=8, seeds=list(range(runs)),
        device="cpu", dtype="float64",
    )  # fmt: skip
    predicted = theory.run(**point, rtol=1e-8).sel(order="exact")
    p = []
    for name in agreement.PARAMETERS:
        ratio = 1000 * sampled[f"{name}_sim"].var("seed", ddof=1) / predicted[f"C_{name}{name}"]
        statistic = (runs - 1) * ratio.sel(alpha=times).values.ravel()
        p.append(2 * np.minimum(stats.chi2.cdf(statistic, runs - 1), stats.chi2.sf(statistic, runs - 1)))
    p = np.concatenate(p)
    assert p.size * p.min() > RATE
    doubled = 2 * (runs - 1)  # the control: a theory off by a factor of two does not pass
    assert p.size * 2 * stats.chi2.sf(doubled, runs - 1) < RATE
