"""The closed forms of the Gaussian averages are the integrals they stand for."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import erf

from advdyn.mixture import closed_forms
from advdyn.mixture.closed_forms import Force

means = st.floats(-6, 6)
variances = st.floats(0.05, 20)
labels = st.sampled_from([-1.0, 1.0])
few = settings(max_examples=40, deadline=None, derandomize=True)


def g(x):
    return 2 / np.sqrt(np.pi) * np.exp(-(x**2))


def average(f, m, v):
    """<f(x)> over x ~ N(m, v) by adaptive quadrature; everything varies near 0 and near m."""
    s = np.sqrt(v)
    integrand = lambda x: f(x) * np.exp(-((x - m) ** 2) / (2 * v)) / (s * np.sqrt(2 * np.pi))  # noqa: E731
    edges = np.unique(np.clip([-1e9, -3, -1, 0, 1, 3, m - 2 * s, m, m + 2 * s, 1e9], m - 13 * s, m + 13 * s))
    parts = [quad(integrand, a, b, epsabs=1e-13, epsrel=1e-11)[0] for a, b in pairwise(edges) if b > a]
    return sum(parts)


@pytest.mark.parametrize(
    ("closed", "integrand"),
    [
        (closed_forms.mean_g, g),
        (closed_forms.mean_erf, erf),
        (closed_forms.mean_g_erf, lambda x: g(x) * erf(x)),
        (closed_forms.mean_erf2, lambda x: erf(x) ** 2),
        (closed_forms.mean_g2, lambda x: g(x) ** 2),
    ],
)
@few
@given(m=means, v=variances)
def test_averages_of_g_and_erf(closed, integrand, m, v):
    assert closed(m, v) == pytest.approx(average(integrand, m, v), abs=1e-11)


@few
@given(m=means, v=variances, tau=labels)
def test_mean_loss(m, v, tau):
    expected = average(lambda x: (erf(x) - tau) ** 2 / 2, m, v)
    assert closed_forms.mean_loss(m, v, tau) == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@few
@given(m=means, v=variances, tau=labels)
def test_moments_of_the_force(n, m, v, tau):
    force = Force.of(np.array([v]), tau)
    m_ = np.array([m])
    closed = {1: force.mean, 2: force.mean_square}.get(n, lambda x: force.moment(x, n))(m_)[0]
    assert closed == pytest.approx(average(lambda x: ((erf(x) - tau) * g(x)) ** n, m, v), abs=1e-11 if n <= 2 else 1e-9)


@few
@given(m=means, v=variances, tau=labels)
def test_the_second_moment_is_that_of_owens_function(m, v, tau):
    k, a = m / np.sqrt((1 + 4 * v) * (1 + 6 * v)), np.sqrt((1 + 4 * v) / (1 + 8 * v))
    owen = closed_forms.owens_t(np.sqrt(2) * k, a)
    expected = closed_forms.mean_g2(m, v) * (2 - 2 * tau * erf(k) - 8 * owen)
    assert Force.of(np.array([v]), tau).mean_square(np.array([m]))[0] == pytest.approx(expected, abs=2e-13)


@few
@given(m=means, v=variances, tau=labels)
def test_derivatives_are_averages_of_derivatives(m, v, tau):
    force, m_ = Force.of(np.array([v]), tau), np.array([m])
    F = lambda x: (erf(x) - tau) * g(x)  # noqa: E731
    dF = lambda x: g(x) ** 2 - 2 * x * F(x)  # noqa: E731
    assert force.mean_slope(m_)[0] == pytest.approx(average(dF, m, v), abs=1e-11)
    assert force.mean_square_slope(m_)[0] == pytest.approx(average(lambda x: 2 * F(x) * dF(x), m, v), abs=1e-11)


@few
@given(m=means, v=variances, tau=labels)
def test_the_mean_force_is_the_slope_of_the_mean_loss(m, v, tau):
    h = 1e-4
    difference = (closed_forms.mean_loss(m + h, v, tau) - closed_forms.mean_loss(m - h, v, tau)) / (2 * h)
    assert Force.of(np.array([v]), tau).mean(np.array([m]))[0] == pytest.approx(difference, abs=1e-7)


def test_the_classes_mirror_each_other_exactly():
    m = np.linspace(-5, 5, 101)
    positive, negative = Force.of(np.full(101, 1.3), 1.0), Force.of(np.full(101, 1.3), -1.0)
    np.testing.assert_array_equal(positive.mean(m), -negative.mean(-m))
    np.testing.assert_array_equal(positive.mean_square(m), negative.mean_square(-m))


def test_no_variance_is_the_force_itself():
    m = np.linspace(-2, 2, 9)
    force = Force.of(np.zeros(9), 1.0)
    np.testing.assert_allclose(force.mean(m), (erf(m) - 1) * g(m), rtol=1e-13)
    np.testing.assert_allclose(force.mean_square(m), ((erf(m) - 1) * g(m)) ** 2, rtol=1e-11)
