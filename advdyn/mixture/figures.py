"""Figures of the study `mixture`: each function returns the figure and the numbers drawn in it."""

import string

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy import stats

from advdyn import figures, io
from advdyn.mixture import errors
from advdyn.study import layout
from advdyn.study.numbers import text

Drawn = tuple[Figure, pd.DataFrame]

ORDERS = {"exact": ("--", "ODE, exact"), "first": (":", r"ODE, first order in $\eta_w$")}
SYMBOLS = {
    "prior": "p",
    "rho": r"\rho",
    "v1": "v_1",
    "v2": "v_2",
    "eta_w": r"\eta_w",
    "eta_b": r"\eta_b",
    "dimension": "N",
    "eps_train": r"\epsilon_{\mathrm{train}}",
    "R0": "R(0)",
    "b0": "b(0)",
}
MANY = 8  # grid points that a legend can still name
MARKERS = 16  # of the full stream along a curve
CLASSES = {1: ("o", "class +1"), -1: ("x", "class −1")}


def panel_of(study: xr.Dataset, panel: str) -> xr.Dataset:
    """The study at the swept values that a panel's path text names; every parameter of it a coordinate."""
    for name, value in layout.values_in(panel).items():
        texts = (
            [text(v.item()) for v in study[name].values]
            if study[name].dtype.kind == "f"
            else [str(v) for v in study[name].values]
        )
        study = study.isel({name: texts.index(value)})
    return study


def heading(
    study: xr.Dataset, names: tuple[str, ...] = ("prior", "rho", "v1", "v2", "eta_w", "eta_b", "dimension")
) -> str:
    """The parameters of a figure, in symbols."""
    shown = [f"${SYMBOLS[n]}={float(study[n]):g}$" for n in names if n in study.coords and study[n].ndim == 0]
    named = [f"{study['scenario'].item()}"] if "scenario" in study.coords and study["scenario"].ndim == 0 else []
    return ", ".join(named + shown)


def _in_symbols(name: str, value: float | str) -> str:
    """A parameter and its value: in symbols, or the name of a scenario."""
    return value if isinstance(value, str) else f"${SYMBOLS.get(name, name)}={text(float(value))}$"


def _runs(study: xr.Dataset, simulator: str) -> xr.Dataset | None:
    """The runs of one simulator at the largest N, with eps_train as a dimension; None where there are none."""
    if "dimension" in study.dims:
        study = study.isel(dimension=-1)
    if "eps_train" not in study.dims:
        study = study.expand_dims("eps_train")
    if "simulator" in study.dims:
        if simulator not in study["simulator"].values:
            return None
        return study.sel(simulator=simulator)
    return study if study["simulator"].item() == simulator else None


def _colours(values: np.ndarray) -> list[tuple[float, float, float]]:
    """Categories for standard against adversarial training, viridis for a sweep of eps_train."""
    return (
        list(plt.rcParams["axes.prop_cycle"].by_key()["color"][: len(values)])
        if len(values) <= 2
        else figures.ordered(len(values))
    )


def _name(eps: float) -> str:
    return "standard" if eps == 0 else rf"adversarial, $\epsilon_{{\mathrm{{train}}}}={eps:g}$"


def _letters(axes: np.ndarray) -> None:
    """Panel letters, before whatever title a panel has."""
    for letter, axis in zip(string.ascii_lowercase, axes.flat, strict=False):
        title = axis.get_title()
        axis.set_title("")
        axis.set_title(rf"$\bf{{{letter}}}$  {title}".rstrip(), loc="left")


# --- order parameters, errors, robustness ------------------------------------------------------


def curves(study: xr.Dataset, panel: str) -> Drawn:
    """(a) R and (b) b against alpha, (c) E and S against alpha, (d) S(eps) at the end; one scenario."""
    study = panel_of(study, panel)
    lumped, full = _runs(study, "lumped"), _runs(study, "full")
    theory = lumped if lumped is not None else full
    assert theory is not None
    trainings = theory["eps_train"].values
    report = f"{float(theory['eps_report']):g}"
    figure, axes = plt.subplots(2, 2, figsize=(7.2, 5.4))
    rows: list[pd.DataFrame] = []
    thin = 0.9 if len(trainings) <= 3 else 0.5  # theory must not hide many curves that lie close
    panels = [(axes[0, 0], "R", r"overlap $R$"), (axes[0, 1], "b", "bias $b$"),
              (axes[1, 0], "test_error", "error"), (axes[1, 0], "adversarial_error_report", "error")]  # fmt: skip
    for colour, eps in zip(_colours(trainings), trainings, strict=True):
        for axis, name, label in panels:
            adversarial = name.startswith("adversarial")
            for simulator, runs in (("lumped", lumped), ("full", full)):
                if runs is not None:
                    rows.append(
                        _draw_runs(axis, runs.sel(eps_train=eps), f"{name}_sim", "alpha", colour, simulator, eps)
                    )
            for order, (style, _) in ORDERS.items():
                line = theory[f"{name}_ode"].sel(eps_train=eps, order=order)
                axis.plot(line["alpha"], line, style, color="black" if not adversarial else "0.35", lw=thin, zorder=3)
                rows.append(_rows(line, f"{name}_ode", f"{order} ODE", eps))
            axis.set(xlabel=r"learning time $\alpha=\mu/N$", ylabel=label)
        for simulator, runs in (("lumped", lumped), ("full", full)):
            if runs is not None:
                rows.append(
                    _draw_runs(axes[1, 1], runs.sel(eps_train=eps), "robustness_sim", "eps", colour, simulator, eps)
                )
        if full is not None:
            rows.append(_draw_early_curve(axes[1, 1], theory.sel(eps_train=eps, order="exact"), full, eps))
        for order, (style, _) in ORDERS.items():
            line = theory["robustness_ode"].sel(eps_train=eps, order=order)
            axes[1, 1].plot(line["eps"], line, style, color="black", lw=thin, zorder=3)
            rows.append(_rows(line, "robustness_ode", f"{order} ODE", eps))
    axes[1, 1].set(xlabel=r"attack length $\epsilon$", ylabel=r"error under attack $S(\epsilon)$")
    for axis in axes.flat[:3]:
        _learning_time(axis, float(theory["alpha"].max()))
    axes[1, 0].set_ylim(0)
    _annotate_errors(axes[1, 0], theory, report)
    _letters(axes)
    handles = [
        Line2D([], [], color=c, lw=2, label=_name(e)) for c, e in zip(_colours(trainings), trainings, strict=True)
    ]
    if lumped is not None:
        runs_n = int(lumped["R_sim"].notnull().any("alpha").sum("seed").max())
        handles.append(Line2D([], [], color="0.5", lw=4, alpha=0.5, label=f"lumped chain, mean ± sd of {runs_n} runs"))
    if full is not None:
        runs_n = int(full["R_sim"].notnull().any("alpha").sum("seed").max())
        handles.append(
            Line2D([], [], color="0.5", marker="o", ls="", ms=3, label=f"full stream, mean of {runs_n} runs")
        )
        last = full["R_sim"].dropna("alpha", how="all")["alpha"].values[-1]
        if last < theory["alpha"].max():
            handles.append(
                Line2D([], [], color="0.55", lw=0.8, label=rf"in d: full stream and ODE at $\alpha={last:g}$")
            )
    handles += [Line2D([], [], color="black", ls=s, label=label) for s, label in ORDERS.values()]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    figure.suptitle(heading(theory))
    return figure, pd.concat(rows, ignore_index=True)


def _learning_time(axis: Axes, end: float) -> None:
    """An axis of learning time: linear up to 100, where most happens, and logarithmic beyond."""
    if end > 100:
        axis.axvline(100, color="0.85", lw=0.8, zorder=0)
        axis.set_xscale("symlog", linthresh=100, linscale=2)
        decades = [10.0**k for k in range(3, 12) if 10.0**k <= end] or [end]
        axis.set_xticks([0, 25, 50, 75, 100, *decades])
        axis.set_xticklabels([f"{t:g}" for t in axis.get_xticks()])
    axis.set_xlim(0, end)


def _rows(line: xr.DataArray, quantity: str, source: str, eps: float, sd: xr.DataArray | None = None) -> pd.DataFrame:
    x = str(line.dims[0])
    return pd.DataFrame({"quantity": quantity, "source": source, "eps_train": eps, "axis": x, "at": line[x].values,
                         "value": line.values, "sd": np.nan if sd is None else sd.values})  # fmt: skip


def _draw_runs(
    axis: Axes,
    runs: xr.Dataset,
    name: str,
    x: str,
    colour: tuple[float, float, float],
    simulator: str,
    eps: float,
) -> pd.DataFrame:
    """Mean and standard deviation over seeds: a band for the lumped chain, markers for the full stream."""
    line = runs[name].dropna(x, how="all")
    mean, sd = line.mean("seed"), line.std("seed", ddof=1)
    if simulator == "lumped":
        axis.fill_between(line[x], mean - sd, mean + sd, color=colour, alpha=0.25, lw=0)
        axis.plot(line[x], mean, color=colour, lw=1.8)
    else:
        some = np.unique(np.linspace(0, line.sizes[x] - 1, MARKERS).round().astype(int))
        axis.plot(line[x][some], mean[some], "o", color=colour, ms=3, mec="white", mew=0.4, zorder=4)
    return _rows(mean, name, simulator, eps, sd)


def _draw_early_curve(axis: Axes, theory: xr.Dataset, full: xr.Dataset, eps: float) -> pd.DataFrame:
    """S(eps) of the exact ODE at the time at which the full stream stops, thin; nothing if that is the end."""
    last = full["R_sim"].dropna("alpha", how="all")["alpha"].values[-1]
    at = theory.sel(alpha=last)
    mixture = (at[name] for name in ("prior", "rho", "v1", "v2"))
    line = xr.apply_ufunc(errors.adversarial_error, at["R_ode"], at["b_ode"], at["eps"], *mixture)
    if last < theory["alpha"].max():
        axis.plot(line["eps"], line, "-", color="0.55", lw=0.8, zorder=2)
    return _rows(line, f"robustness_ode at alpha={last:g}", "exact ODE", eps)


def _annotate_errors(axis: Axes, theory: xr.Dataset, report: str) -> None:
    """Names of the two groups of curves at their end: E and S(eps)."""
    for name, label in (("test_error_ode", "$E$"), ("adversarial_error_report_ode", rf"$S(\epsilon={report})$")):
        end = theory[name].sel(order="exact").isel(alpha=-1)
        axis.annotate(label, (1.0, float(end.mean())), xycoords=("axes fraction", "data"), xytext=(4, 0),
                      textcoords="offset points", va="center")  # fmt: skip


# --- the local potential -----------------------------------------------------------------------


def potential(study: xr.Dataset, panel: str) -> Drawn:
    """Histograms of the local potential without and with attack, and the plane of w and B; a row for each training."""
    study = panel_of(study, panel)
    full = _runs(study, "full")
    if full is None or "h_test" not in full:
        return _without_stream(study, study.attrs.get("partial", ""))
    eps = float(full["eps_report"])
    last = full["R_sim"].dropna("alpha", how="all")["alpha"].values[-1]
    trainings = full["eps_train"].values
    figure, axes = plt.subplots(len(trainings), 3, figsize=(7.2, 2.35 * len(trainings) + 0.4), squeeze=False)
    rows: list[pd.DataFrame] = []
    for row, train in zip(axes, trainings, strict=True):
        part = full.sel(eps_train=train)
        state = part.sel(alpha=last)[["R_sim", "b_sim"]].dropna("seed")
        runs = part[["h_test", "y_test", "label"]].sel(seed=state["seed"])
        for axis, shift, title in ((row[0], 0.0, "without attack"), (row[1], eps, rf"attack $\epsilon={eps:g}$")):
            rows.append(_histogram(axis, runs, state, float(study["rho"]), study, shift, float(train)))
            axis.set(
                xlabel=r"local potential $x$" if shift == 0 else r"attacked potential $\tilde x$", ylabel="density"
            )
            axis.set_title(title)
        beside = {"xycoords": "axes fraction", "xytext": (-48, 0), "textcoords": "offset points"}
        row[0].annotate(_name(float(train)), (0, 0.5), rotation=90, va="center", ha="center", **beside)
        rows.append(_plane(row[2], runs.isel(seed=0), state.isel(seed=0), eps, float(train)))
    for row in axes[:, :2]:
        top = max(axis.get_ylim()[1] for axis in row)
        for axis in row:
            axis.set_ylim(0, top)
    _letters(axes)
    colour = plt.rcParams["axes.prop_cycle"].by_key()["color"]
    handles = [
        Line2D([], [], color=colour[i], marker=m, ls="-", label=label) for i, (m, label) in enumerate(CLASSES.values())
    ]
    handles += [Line2D([], [], color="black", ls="--", label=r"theory $N(m_\tau, v_\tau)$ at the runs' mean $R$, $b$"),
                Line2D([], [], color="0.3", lw=1, label=r"boundary $x=0$"),
                Line2D([], [], color="0.6", lw=4, alpha=0.4, label=rf"margin $|x|\leq\epsilon={eps:g}$")]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    figure.suptitle(rf"{heading(full)}, full stream at $\alpha={last:g}$")
    return figure, pd.concat(rows, ignore_index=True)


def _histogram(
    axis: Axes, runs: xr.Dataset, state: xr.Dataset, rho: float, study: xr.Dataset, eps: float, train: float
) -> pd.DataFrame:
    """Densities of both classes, weighted by their priors, over all runs; theory dashed."""
    tau = runs["label"].transpose("seed", "example").values
    x = (runs["h_test"] - state["b_sim"]).transpose("seed", "example").values - tau * eps
    edge = np.ceil(np.abs(x).max() + 1)
    bins = np.linspace(-edge, edge, 33)
    centre = (bins[1:] + bins[:-1]) / 2
    R, b = float(state["R_sim"].mean()), float(state["b_sim"].mean())
    table = pd.DataFrame({"panel": "histogram", "eps_train": train, "eps": eps, "x": centre})
    for i, sign in enumerate(CLASSES):
        density = np.histogram(x[tau == sign], bins)[0] / (tau.size * np.diff(bins))
        axis.stairs(density, bins, fill=True, alpha=0.35, color=f"C{i}", lw=0)
        weight = float(study["prior"]) if sign > 0 else 1 - float(study["prior"])
        scale = np.sqrt(float(study["v1" if sign > 0 else "v2"]))
        line = weight * stats.norm.pdf(centre, sign * (rho * R / 2 - eps) - b, scale)
        axis.plot(centre, line, "--", color="black", lw=0.9)
        table[f"density_{sign:+d}"], table[f"theory_{sign:+d}"] = density, line
    axis.axvline(0, color="0.3", lw=1)
    return table


def _plane(axis: Axes, runs: xr.Dataset, state: xr.Dataset, eps: float, train: float) -> pd.DataFrame:
    """Test examples of one run in the plane of w and B, with the boundary and its margin."""
    R, b = float(state["R_sim"]), float(state["b_sim"])
    h, tau = runs["h_test"].values, runs["label"].values
    across = (runs["y_test"].values - R * h) / np.sqrt(max(1 - R**2, 1e-12))
    for i, (sign, (marker, _)) in enumerate(CLASSES.items()):
        mask = tau == sign
        axis.plot(h[mask], across[mask], marker, color=f"C{i}", ms=3 if marker == "x" else 2.2, alpha=0.6, mew=0.7,
                  mfc="none" if marker == "o" else None)  # fmt: skip
    edge = max(4.5, 1.05 * float(np.abs([h, across]).max()))
    axis.axvline(b, color="0.3", lw=1)
    axis.axvspan(b - eps, b + eps, color="0.6", alpha=0.3, lw=0)
    axis.annotate(
        "",
        (R * 3, np.sqrt(max(1 - R**2, 0)) * 3),
        (0, 0),
        arrowprops={"arrowstyle": "-|>", "color": "black", "lw": 1.2},
    )
    axis.annotate("$B$", (R * 3.3, np.sqrt(max(1 - R**2, 0)) * 3.3), va="center", ha="center")
    axis.set(
        xlabel=r"$w\cdot\xi$", ylabel=r"along $B$, across $w$", xlim=(-edge, edge), ylim=(-edge, edge), aspect="equal"
    )
    axis.set_title(f"one run, $R={R:.2f}$")
    return pd.DataFrame({"panel": "plane", "eps_train": train, "eps": eps, "x": h, "y": across, "label": tau})


def _without_stream(study: xr.Dataset, partial: str) -> Drawn:
    """What stands in for the figure of a study that has no full stream."""
    figure, axis = plt.subplots(figsize=(4, 1))
    axis.axis("off")
    axis.text(
        0.5,
        0.5,
        "no full stream here yet"
        if partial
        else "no full stream in this study:\nadd `full` to the cells of `simulator`",
        ha="center",
        va="center",
    )
    return figure, pd.DataFrame({"panel": ["none"], "prior": [float(study["prior"])]})


# --- the data ----------------------------------------------------------------------------------


def data(dataset: xr.Dataset, shown: int = 400) -> Drawn:
    """The data in high dimension: (a) on B and an orthogonal direction, (b) on two random directions."""
    x, tau, B = dataset["image"].values[:shown], dataset["label"].values[:shown], dataset["B"].values
    N = len(B)
    # Directions of the drawing only; the data set's own stream stays untouched.
    random = np.random.default_rng(0).standard_normal((3, N))
    across = random[0] - (random[0] @ B) * B
    two = random[2] - (random[2] @ random[1]) / (random[1] @ random[1]) * random[1]
    across, one, two = (v / np.linalg.norm(v) for v in (across, random[1], two))
    planes = [("$B$", B, across), ("a random direction", one, two)]
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.5), sharey=True)
    rows = []
    for axis, (direction, first, second) in zip(axes, planes, strict=True):
        for i, (sign, (marker, label)) in enumerate(CLASSES.items()):
            points = x[tau == sign]
            axis.plot(points @ first, points @ second, marker, color=f"C{i}", ms=3.5 if marker == "x" else 3, mew=0.8,
                      mfc="none" if marker == "o" else None, alpha=0.75, label=label)  # fmt: skip
            rows.append(pd.DataFrame({"plane": direction, "label": sign, "x": points @ first, "y": points @ second}))
        axis.set(xlabel=f"projection on {direction}", ylabel="projection on a direction\northogonal to it")
        axis.set(xlim=(-6.5, 6.5), ylim=(-6.5, 6.5), aspect="equal")
    axes[1].set_ylabel("")
    _letters(axes)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    point = io.point_of(dataset)
    words = ", ".join(f"${SYMBOLS[k]}={point[k]:g}$" for k in ("prior", "rho", "v1", "v2"))
    figure.suptitle(f"{len(x)} examples, $N={N}$, {words}")
    return figure, pd.concat(rows, ignore_index=True)


# --- finite size -------------------------------------------------------------------------------


def scaling(study: xr.Dataset) -> Drawn:
    """(a, b) variance of R and b over runs against N, and 1/N; (c) the law of the local potential at small N."""
    lanes = [str(d) for d in study["R_scaling"].dims if d not in ("dimension", "seed")]
    figure, axes = plt.subplots(1, 3, figsize=(7.2, 2.9))
    rows = []
    N = study["dimension"].values.astype(float)
    half = 1.96 * np.sqrt(2 / (study.sizes["seed"] - 1))
    for axis, name in zip(axes[:2], ("R", "b"), strict=True):
        variance = study[f"{name}_scaling"].var("seed", ddof=1)
        stacked = variance.stack(lane=lanes).transpose("lane", "dimension") if lanes else variance.expand_dims("lane")
        colours = [f"C{i}" for i in range(len(stacked))] if len(stacked) <= MANY else figures.ordered(len(stacked))
        for i, line in enumerate(stacked):
            words = ", ".join(_in_symbols(d, line[d].item()) for d in lanes)
            # lanes side by side, so that bars do not cover each other
            shift = 1.08 ** ((i - (len(stacked) - 1) / 2) / max(1, len(stacked) / 4))
            bars = [line * (1 - np.exp(-half)), line * (np.exp(half) - 1)]
            axis.errorbar(N * shift, line, yerr=bars, fmt="o", ms=3.5, color=colours[i], lw=1, label=words)
            rows.append(pd.DataFrame({"panel": name, "lane": words, "x": N, "value": line.values}))
        guide = float(np.exp(np.log(stacked * N).mean())) / N
        axis.plot(N, guide, "--", color="black", lw=0.9)
        axis.annotate("$1/N$", (N[0], guide[0]), xytext=(14, 1), textcoords="offset points", va="center")
        axis.set(xscale="log", yscale="log")
        if len(N) <= 3:
            axis.set_xticks(N, [f"{n:g}" for n in N])
            axis.minorticks_off()
        axis.set(xlabel="$N$", ylabel=f"Var(${name}$) over {study.sizes['seed']} runs")
    at = study["R_scaling"].attrs["long_name"].split("at ")[-1].replace("alpha", r"$\alpha$")
    axes[0].set_title(at)
    axes[1].set_title(at)
    grid = np.linspace(-4, 4, 161)
    potential = study["potential"]
    for lane in [d for d in potential.dims if d not in ("potential_dimension", "noise", "example")]:
        potential = potential.isel({lane: 0})
    sizes = potential["potential_dimension"].values
    for colour, size in zip(figures.ordered(len(sizes)), sizes, strict=True):
        for noise, style in (("gaussian", "-"), ("rademacher", ":")):
            sample = np.sort(potential.sel(potential_dimension=size, noise=noise).values)
            departure = np.searchsorted(sample, grid, side="right") / len(sample) - stats.norm.cdf(grid)
            axes[2].plot(grid, departure, style, color=colour, lw=1.2)
            rows.append(
                pd.DataFrame({"panel": f"potential, {noise}", "lane": f"N={size}", "x": grid, "value": departure})
            )
    axes[2].set(xlabel=r"standardised potential", ylabel="cdf less normal cdf")
    by_size = zip(figures.ordered(len(sizes)), sizes, strict=True)
    small = {"fontsize": "x-small", "handlelength": 1.2, "borderaxespad": 0.2}
    first = axes[2].legend(
        handles=[Line2D([], [], color=c, label=f"$N={n}$") for c, n in by_size], loc="lower left", **small
    )
    axes[2].add_artist(first)
    noises = [Line2D([], [], color="0.3", ls=s, label=label) for s, label in (("-", "Gaussian"), (":", "±1 (control)"))]
    axes[2].legend(handles=noises, loc="upper right", **small)
    _letters(axes)
    points, labels = axes[0].get_legend_handles_labels()
    if len(labels) > MANY:
        figure.suptitle(f"{len(labels)} grid points, coloured in their order: {labels[0]} to {labels[-1]}")
    elif lanes:
        figure.legend(points, labels, loc="outside lower center", ncols=min(3, len(labels)))
    return figure, pd.concat(rows, ignore_index=True)
