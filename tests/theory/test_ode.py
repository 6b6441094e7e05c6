"""The integrator keeps its order and its promises about batches, records and points that blow up."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from advdyn import ode
from advdyn.ode import integrate

OMEGA = np.array([0.5, 1.0, 2.0, 5.0])


def oscillators(t, y, index):
    """x'' = -omega^2 x, each point with its own frequency."""
    return np.stack([y[1], -(OMEGA[index] ** 2) * y[0]])


START = np.stack([np.ones(4), np.zeros(4)])


def exact(times):
    phase = OMEGA[:, None] * times
    return np.stack([np.cos(phase), -OMEGA[:, None] * np.sin(phase)])


def error_after_fixed_steps(h):
    """Error at t = 3 of y' = y cos t."""
    t, y = 0.0, 1.0
    for _ in range(round(3 / h)):
        y, t = y + h * stages(t, y, h) @ np.append(ode.A[6], 0), t + h
    return abs(y - np.exp(np.sin(t)))


def stages(t, y, h):
    k = np.zeros(7)
    for s in range(7):
        k[s] = (y + h * (ode.A[s, :s] @ k[:s])) * np.cos(t + ode.C[s] * h)
    return k


def fitted_order(steps, errors):
    return np.polyfit(np.log(steps), np.log(errors), 1)[0]


def test_a_step_is_of_fifth_order():
    steps = 3 / np.array([20, 30, 40, 60, 80])
    assert fitted_order(steps, [error_after_fixed_steps(h) for h in steps]) == pytest.approx(5, abs=0.3)


def test_the_interpolant_is_of_fourth_order_in_one_step():
    # global order four: its local error is of order five
    steps = np.array([0.4, 0.3, 0.2, 0.15, 0.1])
    middle = [1 + h * stages(0.3, 1.0, h) @ (ode.P @ 0.5 ** np.arange(1, 5)) for h in steps]
    assert fitted_order(steps, np.abs(middle - np.exp(np.sin(0.3 + steps / 2) - np.sin(0.3)))) == pytest.approx(
        5, abs=0.3
    )


def test_the_error_estimate_is_of_fifth_order_in_one_step():
    steps = np.array([0.4, 0.2, 0.1, 0.05])
    assert fitted_order(steps, [abs(h * ode.E @ stages(0.3, 1.0, h)) for h in steps]) == pytest.approx(5, abs=0.3)


def test_the_tableau_satisfies_its_row_sums():
    np.testing.assert_allclose(ode.A.sum(1), ode.C, atol=1e-14)
    np.testing.assert_allclose([ode.A[6].sum(), ode.E.sum(), ode.P[:, 0].sum()], [1, 0, 1], atol=1e-14)
    np.testing.assert_allclose(ode.P.sum(1)[:6], ode.A[6], atol=1e-14)  # the interpolant ends where the step ends


def test_the_error_is_proportional_to_the_tolerance():
    times = np.linspace(0, 10, 40)
    tolerances = 10.0 ** -np.arange(4, 11)
    errors = [np.abs(integrate(oscillators, START, times, rtol=t, atol=t) - exact(times)).max() for t in tolerances]
    assert fitted_order(tolerances, errors) == pytest.approx(1, abs=0.15)
    assert errors[-1] < 1e-8


def test_a_batch_is_its_points_one_by_one():
    times = [0.0, 0.7, 3.0, 9.0]
    batch = integrate(oscillators, START, times, rtol=1e-7, atol=1e-9)
    for i in range(4):
        alone = integrate(lambda t, y, _, i=i: oscillators(t, y, [i]), START[:, [i]], times, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(batch[:, [i]], alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize("block", [1, 3])
def test_blocks_do_not_matter(block):
    whole = integrate(oscillators, START, [1.0, 8.0], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(
        integrate(oscillators, START, [1.0, 8.0], rtol=1e-7, atol=1e-9, block=block), whole, atol=1e-12
    )


def test_steps_are_those_of_scipy():
    for i, omega in enumerate(OMEGA):
        f = lambda t, y, omega=omega: [y[1], -(omega**2) * y[0]]  # noqa: E731
        theirs = solve_ivp(f, (0, 9), START[:, i], rtol=1e-6, atol=1e-8).y[:, -1]
        ours = integrate(lambda t, y, _, i=i: oscillators(t, y, [i]), START[:, [i]], [9.0], rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(ours[:, 0, 0], theirs, atol=1e-11)


def evaluations(points):
    """How often the right-hand side is evaluated for each of these points, integrated together."""
    counts = np.zeros(4, dtype=int)

    def counting(t, y, index):
        counts[points[index]] += 1
        return oscillators(t, y, points[index])

    integrate(counting, START[:, points], [20.0], rtol=1e-7, atol=1e-9)
    return counts


def test_finished_points_leave_the_batch():
    together = evaluations(np.arange(4))
    np.testing.assert_array_equal(together, sum(evaluations(np.array([i])) for i in range(4)))
    assert together[3] > 5 * together[0]  # the slow point is not carried to the fast one's end


def test_intermediate_records_do_not_change_the_steps():
    dense = integrate(oscillators, START, np.linspace(0, 9, 200), rtol=1e-6, atol=1e-8)
    sparse = integrate(oscillators, START, [0.0, 9.0], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(dense[:, :, [0, -1]], sparse, atol=1e-14)


def test_time_may_begin_anywhere():
    f = lambda t, y, _: (2 * t)[None] + 0 * y  # noqa: E731
    got = integrate(f, np.array([[9.0]]), [3.0, 4.0, 5.0], rtol=1e-9, atol=1e-9, t0=3.0)
    np.testing.assert_allclose(got[0, 0], [9, 16, 25], rtol=1e-9)


def test_a_point_that_blows_up_is_nan_after_that_and_harms_no_other():
    start = np.array([[1.0, 0.1, np.nan, 0.5]])  # y' = y^2 diverges at 1/y0
    times = np.array([0.0, 0.5, 0.9, 1.5, 1.9, 2.5])
    got = integrate(lambda t, y, _: y**2, start, times, rtol=1e-8, atol=1e-8)[0]
    expected = start.T / (1 - start.T * times)
    expected[expected < 0] = np.nan
    expected[2] = np.nan
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_overflow_of_the_right_hand_side_is_nan():
    got = integrate(lambda t, y, _: np.exp(y), np.array([[0.0, -5.0]]), [0.5, 3.0], rtol=1e-7, atol=1e-7)[0]
    assert np.isnan(got[0, 1])
    np.testing.assert_allclose(got[:, 0], -np.log(np.exp([0, 5]) - 0.5), rtol=1e-5)
    assert np.isfinite(got[1]).all()


def test_a_constant_stays():
    np.testing.assert_array_equal(
        integrate(lambda t, y, _: 0 * y, START, [1.0, 1e6], rtol=1e-6, atol=1e-6)[..., 1], START
    )


def test_too_many_steps_is_a_clear_error():
    with pytest.raises(ode.StepLimitError, match="1 points need more than 20 steps; the slowest has reached t = "):
        integrate(lambda t, y, _: -1e5 * y, np.array([[1.0]]), [10.0], rtol=1e-6, atol=1e-6, max_steps=20)


@pytest.mark.parametrize("times", [[1.0, 0.5], [-1.0, 1.0], [[1.0]]])
def test_record_times_are_checked(times):
    with pytest.raises(ValueError, match="increasing"):
        integrate(oscillators, START, times, rtol=1e-6, atol=1e-6)


def test_tolerances_are_checked():
    with pytest.raises(ValueError, match="positive"):
        integrate(oscillators, START, [1.0], rtol=0.0, atol=1e-6)
