"""Figures give the same bytes, however the layout was rounded on the way."""

import hashlib

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.layout_engine import ConstrainedLayoutEngine

from advdyn import figures


class Shaken(ConstrainedLayoutEngine):
    """The layout of a run in which the solver added its numbers in another order."""

    def execute(self, fig):
        super().execute(fig)
        for axes in fig.axes:
            box = axes.get_position(original=True)
            axes._set_position([value + 3e-16 * (n + 1) for n, value in enumerate(box.bounds)])


def drawn(tmp_path, layout):
    """Digests of the files of a figure with an image, its colour bar and a curve."""
    with figures.style():
        figure, (left, right) = plt.subplots(1, 2, layout=layout)
        figure.colorbar(left.imshow([[0.0, 1.0], [2.0, 3.0]]), ax=left, label="error")
        right.plot([0.0, 1.0], [1.0, 3.0], label="a curve")
        right.set(xlabel="eps", ylabel="error")
        right.legend()
        files = [str(tmp_path / f"figure{suffix}") for suffix in figures.FORMATS]
        figures.save(figure, pd.DataFrame({"eps": [0.0]}), files)
        plt.close(figure)
    return [hashlib.sha256((tmp_path / file).read_bytes()).hexdigest() for file in files]


def test_the_last_bits_of_a_layout_do_not_reach_a_file(tmp_path):
    assert drawn(tmp_path, Shaken()) == drawn(tmp_path, "constrained")


def test_without_rounding_they_would(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "settle", lambda figure: None)
    assert drawn(tmp_path, Shaken()) != drawn(tmp_path, "constrained")


@pytest.mark.parametrize("partial", ["", "3 of 4 jobs"])
def test_a_settled_figure_keeps_its_layout(tmp_path, partial):
    with figures.style():
        figure, axes = plt.subplots(2, 2)
        for ax in axes.flat:
            ax.set(xlabel="a long label of the axis", ylabel="another", title="a title")
        figure.draw_without_rendering()
        before = [ax.get_position().bounds for ax in axes.flat]
        figures.save(figure, pd.DataFrame({"a": [0]}), [str(tmp_path / "figure.png")], partial)
        after = [ax.get_position().bounds for ax in axes.flat]
        plt.close(figure)
    for one, two in zip(before, after, strict=True):
        assert two == pytest.approx(one, abs=0.01)
