"""Figures of the study logistic; each function returns the figure and the table of the numbers drawn."""

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from advdyn import linear
from advdyn.figures import CATEGORICAL, ordered, style
from advdyn.logistic import grid
from advdyn.logistic.evaluation import LEVEL

Drawn = tuple[Figure, pd.DataFrame]
WIDTH = 7.2  # inches: two columns of a paper
DIVERGING = "RdBu_r"
SIGNS = ListedColormap(["#2166ac", "#f2f2f2", "#b2182b"])
EPS = r"$\epsilon$"
EPS_TRAIN = r"$\epsilon_{\mathrm{train}}$"
L2 = r"$\lambda$"  # the penalty is (lambda/2) |w|_2^2


def _power(value: float) -> str:
    """A number for mathtext: powers of ten as such."""
    exponent = np.log10(value) if value > 0 else 0.5
    return rf"$10^{{{round(exponent)}}}$" if abs(exponent - round(exponent)) < 1e-9 else f"{value:g}"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _letter(axes: Axes, letter: str) -> None:
    axes.set_title(letter, loc="left", fontweight="bold")


def _standard(study: xr.Dataset) -> xr.Dataset:
    """The model whose training attack is least (0: standard training), with the l2 that validation chooses for it."""
    eps_train = float(study["eps_train"].values[0])
    l2 = grid.choose(study, eps_train, eps_train)
    if np.isnan(l2):
        l2 = float(study["l2"].values[0])
    return study.sel(l2=l2, eps_train=eps_train)


def _training(model: xr.Dataset) -> str:
    eps_train = float(model["eps_train"])
    kind = "standard training" if eps_train == 0 else rf"adversarial training, {EPS_TRAIN} = {eps_train:g}"
    return rf"{kind}, {L2} = {_power(float(model['l2']))}"


def weights(study: xr.Dataset) -> Drawn:
    """Weights as images, and their signs, for every training attack at the l2 that validation chooses.

    Each weight image has its own symmetric scale (the weights shrink by an order of magnitude with the
    training attack), written beside it.
    """
    study = grid.regular(study)
    shape = tuple(int(edge) for edge in study["image_shape"].values)
    models = []
    for e in study["eps_train"].values:
        l2 = grid.choose(study, float(e), float(e))
        if not np.isnan(l2):
            models.append(study.sel(l2=l2, eps_train=e))
    if not models:
        raise ValueError("no model of this study converged: there are no weights to draw")
    positive, negative = (int(v) for v in study["side"].values)
    rows = []
    with style():
        figure = Figure(figsize=(WIDTH, 4.0))
        axes = figure.subplots(2, len(models), squeeze=False)
        for k, model in enumerate(models):
            weight = model["weight"].values.reshape(shape)
            top = float(np.abs(weight).max()) or 1.0
            image = axes[0, k].imshow(weight, cmap=DIVERGING, vmin=-top, vmax=top, interpolation="nearest")
            bar = figure.colorbar(
                image, ax=axes[0, k], orientation="horizontal", fraction=0.06, pad=0.04, ticks=[-top, 0, top]
            )
            bar.ax.set_xticklabels([f"−{top:.2g}", "0", f"{top:.2g}"])
            bar.set_label("weight $w_i$")
            signs = axes[1, k].imshow(np.sign(weight), cmap=SIGNS, vmin=-1.5, vmax=1.5, interpolation="nearest")
            axes[0, k].set_title(
                f"{EPS_TRAIN} = {float(model['eps_train']):g}\n{L2} = {_power(float(model['l2']))}", fontsize="medium"
            )
            axes[1, k].set_xlabel(
                f"{int((weight != 0).sum())} of {weight.size} non-zero\n$|w|_1$ = {float(model['weight_l1']):.3g}"
            )
            for row in axes[:, k]:
                row.set(xticks=[], yticks=[])
            rows.append(
                pd.DataFrame(
                    {
                        "eps_train": float(model["eps_train"]),
                        "l2": float(model["l2"]),
                        "row": np.repeat(np.arange(shape[0]), shape[1]),
                        "column": np.tile(np.arange(shape[1]), shape[0]),
                        "weight": weight.ravel(),
                        "sign": np.sign(weight).ravel(),
                    }
                )
            )
        for letter, row, label in zip("ab", axes[:, 0], ("weights", "sign pattern"), strict=True):
            row.set_ylabel(label)
            row.text(
                -0.02,
                1.04,
                letter,
                transform=row.transAxes,
                fontweight="bold",
                fontsize="large",
                ha="right",
                va="bottom",
            )
        bar = figure.colorbar(signs, ax=list(axes[1]), ticks=[-1, 0, 1], fraction=0.012, pad=0.015)
        bar.ax.set_yticklabels([f"−1: towards {negative}", "0", f"+1: towards {positive}"])
        bar.ax.tick_params(length=0)
    return figure, pd.concat(rows, ignore_index=True)


def outputs(study: xr.Dataset) -> Drawn:
    """Classifier output on test samples before and after the attack that gives 40 % error, by class.

    The slides' two panels. Rows: standard training, and the adversarial training with the largest
    training attack, both under the same attack.
    """
    study = grid.regular(study)
    standard = _standard(study)
    eps = float(standard["eps_at_40"])
    eps = eps if np.isfinite(eps) else float(study["eps"].values[-1])
    models = [standard]
    for e in study["eps_train"].values[::-1]:
        l2 = grid.choose(study, float(e), float(e))
        if e > 0 and not np.isnan(l2) and float(e) != float(standard["eps_train"]):
            models.append(study.sel(l2=l2, eps_train=e))
            break
    tau = study["tau"].values
    names = {1.0: f"label {int(study['side'].values[0])} (+1)", -1.0: f"label {int(study['side'].values[1])} (−1)"}
    colours = dict(zip((1.0, -1.0), sns.color_palette(CATEGORICAL, 2), strict=True))
    rows = []
    with style():
        figure = Figure(figsize=(WIDTH, 0.5 + 2.3 * len(models)))
        axes = figure.subplots(len(models), 2, squeeze=False, sharex="row", sharey="row")
        for row, model in zip(axes, models, strict=True):
            before = model["output"].values
            after = before - tau * eps * float(model["weight_l1"])
            low, high = min(before.min(), after.min()), max(before.max(), after.max())
            # a bin edge at 0, so that no bar mixes the two decisions
            width = (high - low) / (24 if len(tau) < 500 else 48) or 1.0
            edges = np.arange(np.floor(low / width), np.ceil(high / width) + 1) * width
            for panel, values, size in ((row[0], before, 0.0), (row[1], after, eps)):
                error = float((tau * values <= 0).mean())
                for sign, name in names.items():
                    counts, _ = np.histogram(values[tau == sign], edges)
                    panel.stairs(counts, edges, fill=True, alpha=0.35, color=colours[sign])
                    panel.stairs(counts, edges, color=colours[sign], linewidth=1.1, label=name)
                    rows.append(
                        pd.DataFrame(
                            {
                                "eps_train": float(model["eps_train"]),
                                "l2": float(model["l2"]),
                                "eps": size,
                                "label": int(sign),
                                "low": edges[:-1],
                                "high": edges[1:],
                                "count": counts,
                                "error": error,
                            }
                        )
                    )
                panel.axvline(0, color="0.2", linewidth=0.9, linestyle="--")
                what = "unperturbed" if size == 0 else f"perturbed, {EPS} = {size:.3g}"
                panel.set_title(f"{what}: error {100 * error:.1f} %")
            kind, setting = _training(model).split(", ", 1)
            row[0].set_ylabel(f"{kind}\n{setting}\ntest samples per bin")
        for panel, letter in zip(axes.flat, "abcd", strict=False):
            _letter(panel, letter)
            sns.despine(ax=panel)
            panel.tick_params(labelleft=True)
            panel.set_ylim(bottom=0)
        for panel in axes[-1]:
            panel.set_xlabel(r"classifier output $w\cdot x + b$")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        handles.append(Line2D([], [], color="0.2", linewidth=0.9, linestyle="--"))
        figure.legend(handles, [*labels, "decision"], loc="outside upper center", ncols=3)
    return figure, pd.concat(rows, ignore_index=True)


def errors(study: xr.Dataset) -> Drawn:
    """Test error against the size of the attack: colour l2, one panel for each training attack, bands binomial 95 %."""
    study = grid.regular(study)
    attacks, penalties = study["eps_train"].values, study["l2"].values
    colours = ordered(len(penalties))
    columns = min(len(attacks), 2)
    lines = -(-len(attacks) // columns)
    n = int(study["n_test"])
    # up to where every curve has passed the 40 % line or, at most, the whole grid
    reached = study["eps_at_40"].where(study["converged"])
    top = float(study["eps"].values[-1])
    top = min(top, 1.3 * float(reached.max())) if np.isfinite(reached.max()) else top
    rows = []
    with style():
        figure = Figure(figsize=(WIDTH, 0.6 + 2.3 * lines))
        axes = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
        for panel, letter, e in zip(axes.flat, "abcdefghijklmnopqrstuvwxyz", attacks, strict=False):
            chosen = grid.choose(study, float(e), float(e))
            for colour, l2 in zip(colours, penalties, strict=True):
                model = study.sel(l2=l2, eps_train=e)
                if not np.isfinite(model["test_error"].values).all():
                    continue
                eps, error = model["eps"].values, model["test_error"].values
                low, high = _binomial(error, n)
                finished = bool(model["converged"])
                panel.fill_between(eps, low, high, color=colour, alpha=0.15, linewidth=0)
                weight = 2.2 if l2 == chosen else 1.2
                panel.plot(eps, error, color=colour, linewidth=weight, linestyle="-" if finished else "-.")
                panel.plot(eps, model["random_sign_error"].values, color=colour, linewidth=0.8, linestyle=(0, (1, 1.5)))
                rows.append(
                    pd.DataFrame(
                        {
                            "eps_train": float(e),
                            "l2": float(l2),
                            "chosen": l2 == chosen,
                            "converged": finished,
                            "eps": eps,
                            "test_error": error,
                            "low": low,
                            "high": high,
                            "random_sign_error": model["random_sign_error"].values,
                        }
                    )
                )
            panel.axhline(LEVEL, color="0.35", linewidth=0.8, linestyle="--")
            if e > 0:
                panel.axvline(float(e), color="0.35", linewidth=0.8, linestyle="-.")
            kind = "standard training" if e == 0 else f"adversarial training, {EPS_TRAIN} = {e:g}"
            panel.set_title(kind)
            _letter(panel, letter)
            sns.despine(ax=panel)
            panel.set(xlim=(0, top), ylim=(0, 1.02))
            panel.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
        for panel in axes.flat[len(attacks) :]:
            panel.set_visible(False)
        for panel in axes.flat[max(0, len(attacks) - columns) : len(attacks)]:  # the lowest of each column
            panel.tick_params(labelbottom=True)
            panel.set_xlabel(f"size of the attack {EPS} (of the pixel range)")
        for panel in axes[:, 0]:
            panel.set_ylabel("test error")
        handles = [Line2D([], [], color=c, linewidth=1.6) for c in colours]
        labels = [f"{L2} = {_power(float(l2))}" for l2 in penalties]
        handles += [
            Line2D([], [], color="0.3", linewidth=2.2),
            Line2D([], [], color="0.3", linewidth=0.8, linestyle=(0, (1, 1.5))),
            Line2D([], [], color="0.35", linewidth=0.8, linestyle="--"),
            Line2D([], [], color="0.35", linewidth=0.8, linestyle="-."),
        ]
        labels += [f"chosen {L2}", "random signs", f"{100 * LEVEL:.0f} % error", f"{EPS} = {EPS_TRAIN}"]
        if not bool(study["converged"].all()):
            handles.append(Line2D([], [], color="0.3", linewidth=1.2, linestyle="-."))
            labels.append("not converged")
        figure.legend(handles, labels, loc="outside upper center", ncols=4)
    return figure, pd.concat(rows, ignore_index=True)


def _binomial(error: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's 95 % interval of a share out of n."""
    z = 1.959964
    centre = (error + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(error * (1 - error) / n + z * z / (4 * n * n))
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def example(study: xr.Dataset) -> Drawn:
    """One image of each class, its worst perturbation and the attacked image, with the outputs before and after.

    The size is the smallest one, rounded up to 0.01, that turns both decisions.
    """
    study = grid.regular(study)
    shape = tuple(int(edge) for edge in study["image_shape"].values)
    model = _standard(study)
    clean = model["output"].values[study["example"].values.astype(int)]
    distance = linear.smallest_eps(clean * np.array([1.0, -1.0]), model["weight_l1"].values)
    largest = float(study["eps"].values[-1])
    eps = float(np.ceil(100 * distance.max()) / 100) if 0 < distance.max() <= largest else largest
    error = float(linear.error_curve(model["output"].values * study["tau"].values, model["weight_l1"].values, eps))
    shift = eps * float(model["weight_l1"])
    rows = []
    with style():
        figure = Figure(figsize=(WIDTH, 5.1))
        axes = figure.subplots(2, 3, squeeze=False)
        for row, side, sign in zip(axes, (0, 1), (1.0, -1.0), strict=True):
            image = study["example_image"].values[side]
            before = float(clean[side])
            after = before - sign * shift
            delta = -sign * eps * np.sign(model["weight"].values)
            attacked = image + delta
            label, other = (int(v) for v in study["side"].values[[side, 1 - side]])
            low, high = min(0.0, float(attacked.min())), max(1.0, float(attacked.max()))
            shown = (image, delta, attacked)
            scales = ((0.0, 1.0, "gray"), (-1.5 * eps, 1.5 * eps, SIGNS), (low, high, "gray"))
            for panel, values, (bottom, top, colours) in zip(row, shown, scales, strict=True):
                drawn = panel.imshow(
                    values.reshape(shape), cmap=colours, vmin=bottom, vmax=top, interpolation="nearest"
                )
                panel.set(xticks=[], yticks=[])
                ticks = [bottom, 0, top] if bottom < 0 < top else [bottom, top]
                ticks = [-eps, 0, eps] if colours is SIGNS else ticks
                bar = figure.colorbar(drawn, ax=panel, fraction=0.046, pad=0.03, ticks=ticks)
                bar.ax.set_yticklabels([f"{tick:.2g}".replace("-", "−") for tick in ticks])
            decided = [label if sign * value > 0 else other for value in (before, after)]
            texts = (
                f"label {label}\noutput {_signed(before)}, decision {decided[0]}",
                f"$-\\tau${EPS}$\\,\\mathrm{{sign}}(w)$\nshift {_signed(-sign * shift)}",
                f"\noutput {_signed(after)}, decision {decided[1]}",
            )
            for panel, text in zip(row, texts, strict=True):
                panel.set_xlabel(text)
            rows.append(
                pd.DataFrame(
                    {
                        "label": label,
                        "eps": eps,
                        "l2": float(model["l2"]),
                        "eps_train": float(model["eps_train"]),
                        "output_before": before,
                        "output_after": after,
                        "row": np.repeat(np.arange(shape[0]), shape[1]),
                        "column": np.tile(np.arange(shape[1]), shape[0]),
                        "image": image,
                        "perturbation": delta,
                        "attacked": attacked,
                    }
                )
            )
        for panel, letter, title in zip(axes[0], "abc", ("test image", "perturbation", "attacked image"), strict=True):
            panel.set_title(title)
            _letter(panel, letter)
        figure.suptitle(
            f"{_training(model)}; attack {EPS} = {eps:.3g} of the pixel range (test error {100 * error:.0f} %)",
            fontsize="medium",
        )
    return figure, pd.concat(rows, ignore_index=True)
