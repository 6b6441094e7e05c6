"""The steps of training: all lanes and seeds of a job as one batch, run = (lane, seed) in C order.

At step k the critic goes first; then q(k) and the effective residual xi(k) = (z - y) - q are taken, with which the
network steps. What is recorded at a time is that q and xi: at time 0 the critic has made its steps on the initial
outputs. So z(k+1) = z(k) - eta H(k) xi(k) + remainder, and xi_integral up to step k sums the steps before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from advdyn import seeds as streams
from advdyn.logs import Progress
from advdyn.turing import network
from advdyn.turing.critic import Critic
from advdyn.turing.hidden import Adam, Hidden, Plain, Span
from advdyn.turing.inputs import STUDY, Examples
from advdyn.turing.network import Activation
from advdyn.turing.record import Moment, Recorder
from advdyn.turing.spectrum import Extremes

DIVERGED = 1e6  # of |xi| over max(1, |xi(0)|)
CHUNK = 256  # steps whose random numbers are drawn at once

Kind = Literal["supervised", "live", "frozen", "field"]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Lane:
    """Values of the parameters that are trained together."""

    adversary: str
    weight: float
    penalty: float


@dataclass(frozen=True)
class Plan:
    """How the runs are trained."""

    net: str
    lanes: tuple[Lane, ...]
    kind: Kind  # of the lanes with an adversary
    sign: float  # of the critic's pull in q: +1 for the paper's minus, -1 for the poster's plus
    critic_steps: int
    critic_rate: float
    target_slope: float
    raw: bool  # whether the critic's term has V sigma(U x) for its argument
    frozen_steps: int
    field_time: float
    activation: Activation
    optimiser: str
    batch: int
    span: bool
    eta: float
    steps: int
    gram_every: int
    where: dict[str, Any]  # device and dtype of tensors
    label_scale: Floats | None = None  # (run,)
    field_sd: Floats | None = None  # (run,)

    @property
    def full(self) -> bool:
        """Whether both layers are trained."""
        return self.net == "full"

    def each(self, values: Sequence[float], seeds: int) -> Tensor:
        """Values of the lanes for each run, of shape (run, 1, 1)."""
        return torch.as_tensor(np.repeat(np.asarray(values, float), seeds), **self.where)[:, None, None]


@dataclass(frozen=True)
class Start:
    """Initial weights, float64: U (seed, m, d), V (seed, d_out, m), W (seed, m_c, d_out), a (seed, m_c); and seeds."""

    U: Floats
    V: Floats
    W: Floats
    a: Floats
    root: int
    seeds: tuple[int, ...]


@dataclass
class End:
    """What is left of a block of runs."""

    hidden: Hidden
    V: Tensor  # (run, d_out, m)
    W: Tensor  # (run, m_c, d_out)
    a: Tensor  # (run, m_c)
    z: Tensor  # (run, d_out, n)
    q: Tensor
    distance: Floats  # (run,): mean over neurons of |u_j(T) - u_j(0)|, NaN where diverged
    q_rms: Floats  # (run,): over steps, examples and outputs
    diverged_at: Floats  # (run,)
    c_sup: Floats  # (run, m)
    sigma_sup: Floats  # (run, m)
    filters: list[Floats] = field(default_factory=list)  # (lane, shown, pixel) at each snapshot


def lanes_of(
    adversary: str | Sequence[str], weight: float | Sequence[float], penalty: float | Sequence[float]
) -> tuple[Lane, ...]:
    """The product of the values in C order; without an adversary there is one lane, of weight and penalty 0."""
    found = [
        Lane(who, float(w), float(p)) if who == "with" else Lane(who, 0.0, 0.0)
        for who in ([adversary] if isinstance(adversary, str) else adversary)
        for w in (weight if isinstance(weight, Sequence) else [weight])
        for p in (penalty if isinstance(penalty, Sequence) else [penalty])
    ]
    return tuple(dict.fromkeys(found))


def start(
    root: int, seeds: Sequence[int], *, net: str, pixels: int, outputs: int, width: int, critic_width: int, scale: float
) -> Start:  # fmt: skip
    """Initial weights of each seed: U ~ scale N(0, 1), V = +-1 or N(0, 1), W ~ N(0, 1), a = +-1, in this order."""
    made: dict[str, list[Floats]] = {"U": [], "V": [], "W": [], "a": []}
    for seed in seeds:
        rng = streams.generator(root, STUDY, seed, "initialisation")
        made["U"].append(scale * rng.standard_normal((width, pixels)))
        shape = (outputs, width)
        made["V"].append(rng.standard_normal(shape) if net == "full" else rng.choice([-1.0, 1.0], shape))
        made["W"].append(rng.standard_normal((critic_width, outputs)))
        made["a"].append(rng.choice([-1.0, 1.0], critic_width))
    return Start(**{name: np.stack(values) for name, values in made.items()}, root=root, seeds=tuple(seeds))


class Chance:
    """Random numbers of training, of each seed, shared by its lanes: (run, ...) in the order (lane, seed)."""

    def __init__(self, begin: Start, plan: Plan) -> None:
        children = [streams.sequence(begin.root, STUDY, seed, "training").spawn(3) for seed in begin.seeds]
        # a stream each, so that more steps of the critic leave the order of the examples as it is
        self._between, self._order, self._field = (
            [np.random.Generator(np.random.SFC64(child)) for child in row] for row in zip(*children, strict=True)
        )
        self._lanes, self._where = len(plan.lanes), plan.where
        self._drawn: Tensor | None = None
        self._at = 0
        self._batches: list[npt.NDArray[np.int64]] = []

    def between(self, n: int) -> Tensor:
        """Shares e in [0, 1) of the targets in the points at which a critic step is penalised: (run, 1, n)."""
        if self._drawn is None or self._at == CHUNK:
            drawn = np.stack([rng.random((CHUNK, n)) for rng in self._between], axis=1)
            self._drawn, self._at = torch.as_tensor(drawn, **self._where), 0
        e = self._drawn[self._at]
        self._at += 1
        return e.repeat(self._lanes, 1)[:, None]

    def share(self, n: int, batch: int) -> Tensor:
        """Weights of the examples in a step on a batch, n/batch or 0, so that its mean is the whole: (run, 1, n).

        An epoch's order is cut into whole batches; the rest of it is not used.
        """
        if not self._batches:
            epoch = np.stack([rng.permutation(n) for rng in self._order])
            self._batches = np.split(epoch[:, : n // batch * batch], n // batch, axis=1)
        rows = self._batches.pop(0)
        weights = np.zeros((len(rows), n))
        np.put_along_axis(weights, rows, n / batch, axis=1)
        return torch.as_tensor(weights, **self._where).repeat(self._lanes, 1)[:, None]

    def normal(self, shape: tuple[int, int]) -> Tensor:
        """Standard normals of the random field: (run, d_out, n)."""
        drawn = np.stack([rng.standard_normal(shape) for rng in self._field])
        return torch.as_tensor(drawn, **self._where).repeat(self._lanes, 1, 1)


class Adversary:
    """The pull q on the outputs: of a live critic, of one that is held, of a random field, or none."""

    def __init__(self, begin: Start, plan: Plan, chance: Chance) -> None:
        self._plan, self._chance, self._width = plan, chance, begin.V.shape[-1]
        S, where = len(begin.seeds), plan.where
        acts = np.repeat([lane.adversary == "with" for lane in plan.lanes], S)
        self.W = torch.as_tensor(begin.W, **where).repeat(len(plan.lanes), 1, 1)
        self.a = torch.as_tensor(begin.a, **where).repeat(len(plan.lanes), 1)
        self.critic: Critic | None = None
        self._wander: Tensor | None = None
        self.rows = np.flatnonzero(acts) if plan.kind in ("live", "frozen") else np.empty(0, int)
        if len(self.rows):
            self.at = torch.as_tensor(self.rows, device=where["device"])
            self._weight = plan.each([plan.sign * lane.weight for lane in plan.lanes], S)[self.at]
            penalty = plan.each([lane.penalty for lane in plan.lanes], S)[self.at]
            self.critic = Critic(
                self.W[self.at], self.a[self.at][..., None], penalty, plan.target_slope, plan.activation
            )
        if plan.field_sd is not None:
            sd = np.where(acts, plan.field_sd, 0.0)
            self._sd = torch.as_tensor(sd, **where)[:, None, None]
            self._keep = float(np.exp(-plan.eta / plan.field_time))
        self._none: Tensor | None = None

    @property
    def moves(self) -> bool:
        """Whether q is not 0 for all runs and times."""
        return self.critic is not None or self._plan.field_sd is not None

    def pull(self, step: int, z: Tensor, y: Tensor) -> Tensor:
        """The critic's steps, and then q (run, d_out, n) at the outputs ``z``; to be called once for each step."""
        plan = self._plan
        if self.critic is not None:
            zc, yc = z[self.at], y[self.at]
            count = plan.critic_steps if plan.kind == "live" else plan.frozen_steps * (step == 0)
            for _ in range(count):
                e = self._chance.between(z.shape[-1])[self.at]
                self.critic.step(zc, yc, e, plan.critic_rate * plan.eta)
            argument = zc / network.scale(z.shape[-2], self._width) if plan.raw else zc
            return torch.zeros_like(z).index_copy_(0, self.at, self.critic.slope(argument).mul_(self._weight))
        if plan.field_sd is not None:
            fresh = self._sd * self._chance.normal((z.shape[-2], z.shape[-1]))
            if self._wander is None:
                self._wander = fresh
            else:
                self._wander = self._keep * self._wander + (1 - self._keep**2) ** 0.5 * fresh
            return self._wander
        if self._none is None:
            self._none = torch.zeros_like(z)
        return self._none

    def length(self) -> Floats:
        """|W| of every run."""
        if self.critic is None:
            return host(norm(self.W))
        return host(norm(self.W).index_copy(0, self.at, norm(self.critic.W)))

    def measured(self, z: Tensor, y: Tensor) -> dict[str, Floats]:
        """Mean slope of the critic and the gap it finds, NaN without one; and |W|."""
        slope, gap = np.full((2, len(z)), np.nan)
        if self.critic is not None:
            zc = z[self.at]
            slope[self.rows] = host(self.critic.slope(zc).norm(dim=-2).mean(-1))
            gap[self.rows] = host((self.critic.value(y[self.at]) - self.critic.value(zc)).mean(-1))
        return {"critic_slope": slope, "critic_gap": gap, "critic_w": self.length()}

    def finish(self) -> None:
        """Put the critics' weights back among those of all runs."""
        if self.critic is not None:
            self.W[self.at], self.a[self.at] = self.critic.W, self.critic.a[..., 0]


class Sums:
    """What is summed, or its extreme taken, over every step."""

    def __init__(self, data: Examples, plan: Plan, P: Tensor) -> None:
        B, m, _ = P.shape
        self._plan, self._piecewise = plan, plan.activation.leak is not None
        x = np.asarray(data.x, np.float64)
        self._extremes = None if plan.full else Extremes(x @ x.T, B, m, plan.activation, plan.gram_every)
        self._remains = not plan.full and plan.optimiser == "gd"
        self._values = {name: np.zeros(B) for name in ("xi_integral", "tv_q", "mu", "w_sup")}
        self._values |= {"flips": np.full(B, 0.0 if self._piecewise else np.nan)}
        self._values |= {"remainder": np.full(B, 0.0 if self._remains else np.nan)}
        self._slope, self._P = torch.empty_like(P), None if self._piecewise else torch.empty_like(P)
        self._work = torch.empty_like(P)
        self._ones = torch.ones(1, m, dtype=P.dtype, device=P.device)
        self._q: Tensor | None = None
        self._z: Tensor | None = None
        self._path, self._steps = torch.zeros(1, dtype=P.dtype, device=P.device), 0
        self.c_sup = torch.zeros(B, m, dtype=P.dtype, device=P.device)
        self.sigma_sup = torch.zeros_like(self.c_sup)

    def take(
        self, step: int, P: Tensor, V: Tensor, slope: Tensor, active: Tensor, z: Tensor, q: Tensor,
        xi: Tensor, adversary: Adversary, alive: npt.NDArray[np.bool_],
    ) -> None:  # fmt: skip
        """Take a step's state, before the network steps."""
        values, changed = self._values, None
        self._path, self._steps = self._path + xi, self._steps + 1
        if adversary.moves or step == 0:
            pulls = host(q.square().sum(-2).sqrt_().sum(-1))
            np.maximum(values["mu"], pulls, out=values["mu"])
            np.maximum(values["w_sup"], adversary.length(), out=values["w_sup"])
            if self._q is not None:
                values["tv_q"] += host(norm(q - self._q))
        if step:
            scale = network.scale(V.shape[-2], V.shape[-1])
            if self._piecewise:
                jump = torch.sub(slope, self._slope, out=self._work)
                if self._remains:
                    # an activation that changed adds (1 - leak)|P| to what the slopes before would make of the step
                    values["remainder"] += host(norm((V * scale) @ torch.mul(jump, P, out=self._slope)))
                changed = host((self._ones @ jump.abs_())[:, 0]) / (1 - (self._plan.activation.leak or 0.0))
                changed = changed.round()
                values["flips"] += changed.sum(-1)
            elif self._remains and self._P is not None and self._z is not None:
                step_of = torch.sub(P, self._P, out=self._work).mul_(self._slope)
                values["remainder"] += host(norm(z - self._z - (V * scale) @ step_of))
        self._slope.copy_(slope)
        if self._P is not None:
            self._P.copy_(P)
        self._q, self._z = q, z
        if self._plan.full or step == 0:
            torch.maximum(self.c_sup, V.norm(dim=-2), out=self.c_sup)
        torch.maximum(self.sigma_sup, active.norm(dim=-1), out=self.sigma_sup)
        if self._extremes is not None:
            at = np.flatnonzero(alive).tolist()
            self._extremes.watch(step, slope, changed, at, last=step == self._plan.steps)

    def stepped(self, size: Floats) -> None:
        """A step with an effective residual of these lengths (run,) is made."""
        self._values["xi_integral"] += self._plan.eta * size

    def now(self) -> dict[str, Floats]:
        """Copies of the sums up to now; the mean of xi begins anew."""
        nan = np.full(len(self.c_sup), np.nan)
        found = {"gram_inf": nan, "gram_sup": nan, **self._values}
        if self._extremes is not None:
            found |= {"gram_inf": self._extremes.low, "gram_sup": self._extremes.high}
        # where q jumps to and fro over a kink of the critic, xi stays large while its mean over time need not
        found["xi_mean"] = host(norm(self._path)) / self._steps
        self._path, self._steps = torch.zeros_like(self._path), 0
        return {name: values.copy() for name, values in found.items()}


def train(data: Examples, begin: Start, plan: Plan, recorder: Recorder | None = None, filters: int = 0) -> End:
    """Train all lanes and seeds together.

    Parameters
    ----------
    recorder
        Takes the state at its steps; without it only what ``End`` holds is measured, and the suprema are 0.
    filters
        Neurons of the first seed whose weights are kept at the recorder's snapshots.
    """
    lanes, S, where, sigma = len(plan.lanes), len(begin.seeds), plan.where, plan.activation
    B, n = lanes * S, len(data.x)
    hidden: Hidden
    if plan.span:
        hidden = Span(data.x, begin.U, B, where)
    else:
        hidden = Plain(data.x, begin.U, B, where, adam=plan.optimiser == "adam")
    V = torch.as_tensor(begin.V, **where).repeat(lanes, 1, 1)
    V0 = V.clone()
    top = Adam(V) if plan.full and plan.optimiser == "adam" else None
    y = torch.as_tensor(np.asarray(data.y.T, np.float64), **where).repeat(B, 1, 1)
    if plan.label_scale is not None:
        y *= torch.as_tensor(plan.label_scale, **where)[:, None, None]
    chance = Chance(begin, plan)
    adversary = Adversary(begin, plan, chance)
    sums = Sums(data, plan, hidden.P) if recorder is not None else None
    slope, active, E = (torch.empty_like(hidden.P) for _ in range(3))
    alive, diverged_at, limit, square = np.ones(B, bool), np.full(B, np.nan), np.zeros(B), np.zeros(B)
    kept: list[Floats] = []
    progress = Progress(plan.steps, "steps")
    for step in range(plan.steps + 1):
        sigma.slope(hidden.P, slope)
        sigma.value(hidden.P, active)
        z = network.outputs(V, active)
        q = adversary.pull(step, z, y)
        xi = (z - y) - q
        size = host(norm(xi))
        if step == 0:
            limit = DIVERGED * np.maximum(1, size)
        lost = alive & ~(size <= limit)
        diverged_at[lost] = step * plan.eta
        alive &= ~lost
        if sums is None:
            square += host(q.square().mean((-2, -1))) if adversary.moves else 0.0
        elif recorder is not None:
            sums.take(step, hidden.P, V, slope, active, z, q, xi, adversary, alive)
            if step in recorder.steps:
                moved_top = V - V0 if plan.full else None
                now = Moment(
                    z,
                    y,
                    q,
                    xi,
                    active,
                    slope,
                    V,
                    hidden.moved(),
                    moved_top,
                    adversary.measured(z, y),
                    sums.now(),
                    alive,
                )
                recorder.take(step, now)
            if step in recorder.snapshots:
                first = [(lane * S, hidden.weights(lane * S, filters)) for lane in range(lanes)]
                kept.append(np.stack([np.where(alive[run], found, np.nan) for run, found in first]))
            sums.stepped(size)
        if step == plan.steps:
            break
        pull = -xi
        if plan.optimiser != "gd":
            pull *= chance.share(n, plan.batch)
        if lost.any():
            pull[torch.as_tensor(lost)] = torch.nan  # nothing more is made of a run that is lost
        network.pull_hidden(V, slope, pull, E)
        if plan.full:
            rise = network.pull_top(active, pull)
            if top is None:
                V.add_(rise, alpha=plan.eta)
            else:
                top.step(rise, plan.eta)
        hidden.descend(E, plan.eta)
        progress(step + 1)
    adversary.finish()
    distance = np.where(alive, host(hidden.moved().norm(dim=-1).mean(-1)), np.nan)
    c_sup, sigma_sup = (sums.c_sup, sums.sigma_sup) if sums is not None else torch.zeros(2, B, V.shape[-1])
    return End(
        hidden, V, adversary.W, adversary.a, z, q, distance, np.sqrt(square / (plan.steps + 1)), diverged_at,
        host(c_sup) * network.scale(V.shape[-2], V.shape[-1]), host(sigma_sup), kept,
    )  # fmt: skip


def norm(r: Tensor) -> Tensor:
    """Frobenius norm of each run."""
    return r.square().sum((-2, -1)).sqrt_()


def host(values: Tensor) -> Floats:
    """A numpy array in float64."""
    return values.double().cpu().numpy()
