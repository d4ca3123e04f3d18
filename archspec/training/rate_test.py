"""The learning-rate range test: a short training over rising rates, and the rates that its losses suggest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from archspec.data import workers_for
from archspec.diagnostics import DataError
from archspec.diagnostics import count as counted
from archspec.output import say
from archspec.schedules import Schedule
from archspec.tasks import Head
from archspec.training import scaling
from archspec.training.beginning import initial_weights
from archspec.training.checks import fitted_heads
from archspec.training.cutting import cut_from_files, is_cut
from archspec.training.feeding import feed, orders_of
from archspec.training.freezing import frozen_at
from archspec.training.notes import say_notes
from archspec.training.run import read_data, with_batch, with_blocks, with_mesh
from archspec.training.steps import Figures, steps_of

if TYPE_CHECKING:
    from archspec.loading import Spec

LOWEST, HIGHEST, STEPS = 1e-7, 10.0, 100
"""The range and the number of steps that fastai's test has."""
RUN_AWAY = 4.0
"""How many times the least loss one is that ends the test, as in fastai's."""
FEWEST = 10
"""Losses without which nothing is suggested."""


class _Rising(Schedule):
    """From the lowest to the highest rate, in equal ratios."""

    lowest: float
    highest: float
    over: int
    peak: float

    def build(self, epochs: int, steps_per_epoch: int) -> Callable[[Any], Any]:
        import jax.numpy as jnp

        ratio = self.highest / self.lowest
        return lambda step: self.lowest / self.peak * jnp.power(ratio, step / (self.over - 1))


class RateTest(NamedTuple):
    """What a test found: the rates, the loss of each step's batch before the step, and the same smoothed.

    `steepest` is the rate at which the smoothed loss falls fastest over the logarithm of the rate, `tenth` a tenth of
    that at which it is least; None where it falls nowhere. `ended` says why the last rate is the last.
    """

    rates: list[float]
    losses: list[float]
    smoothed: list[float]
    steepest: float | None
    tenth: float | None
    ended: str

    def to_plain(self) -> dict[str, Any]:
        return self._asdict()


def rate_test(
    spec: Spec, *, lowest: float = LOWEST, highest: float = HIGHEST, steps: int = STEPS, progress: bool = True
) -> RateTest:
    """Trains a spec's network for `steps` steps, of which each has a higher rate than the one before (Smith 2017).

    The recipe is the spec's own in everything else: data in the order of its epochs, augmentation, precision, clipping,
    the weights that it begins with, and what it freezes. Rates rise in equal ratios, as in fastai; the test ends early
    where the loss is no number or more than four times the least before. Nothing is written. Raises `SpecError`.
    """
    recipe = spec.train
    if recipe is None:
        raise DataError("E504", f"{spec.name} has no `train:` section").located(None)
    recipe = with_mesh(recipe, spec)
    graph = spec.graph()
    data, _ = read_data(spec, graph, recipe, progress)
    heads = fitted_heads(spec, data)
    data = cut_from_files(data, spec, heads)
    try:
        recipe, sizes = with_batch(recipe, spec, graph, data, heads)
        recipe, blocks = with_blocks(recipe, spec, graph, data, heads)
        say_notes([*sizes, *blocks], progress)
        frozen = frozen_at(recipe, graph, 1)
        given = None if recipe.init_from is None else initial_weights(recipe.init_from, spec, graph).arrays
        orders = orders_of(recipe, len(data.train))
        rising = _Rising(lowest=lowest, highest=highest, over=steps, peak=recipe.optimiser.learning_rate)
        swept = recipe.model_copy(update={"schedule": rising})
        begin = int(is_cut(data.train))
        compiled = steps_of(graph, spec.inputs, heads, swept, orders.steps, frozen=frozen, begin=begin)
    except DataError as error:
        raise error.located(spec.place("train")) from None
    # Twice as many as are needed, since steps in float16 may be left out.
    epochs = -(-2 * steps // orders.steps)
    source = feed(data.train, orders, epochs, workers_for(recipe.workers), compiled.devices)
    batches = (own for epoch in range(1, epochs + 1) for own in source.batches(orders.of(epoch), epoch=epoch))
    state = compiled.initial(given)
    if progress:
        say(
            f"{counted(steps, 'step')} of {orders.batch}, at rates from {lowest:g} to {highest:g}; compiling the step …"
        )
    losses: list[float] = []
    ended = "all rates were tried"
    left_out = 0
    try:
        for own in batches:
            state, device_figures = compiled.train(state, own)
            figures = jax.device_get(device_figures)
            skipped = scaling.record(state).get("skipped_steps", 0)
            if skipped > left_out and figures["finite"]:
                left_out = skipped  # in float16: the next step has the same rate
                continue
            losses.append(_objective(heads, figures))
            if not figures["finite"] or _ran_away(losses):
                ended = f"the loss ran away at a rate of {compiled.learning_rate(len(losses) - 1):.3g}"
                break
            if len(losses) == steps:
                break
        else:
            ended = f"the loss's scale left out {counted(left_out, 'step')}, and the data were used up before all rates"
    finally:
        source.close()
    rates = [compiled.learning_rate(step) for step in range(len(losses))]
    return suggested(rates, losses, ended)


def _objective(heads: Sequence[Head], figures: Figures) -> float:
    """What a step made small, of its own batch."""
    total, index = 0.0, 0
    for head in heads:
        for _, share in head.loss.terms:
            weight = float(figures["weights"][index])
            total += head.weight * share * float(figures["losses"][index]) / weight if weight else 0.0
            index += 1
    return total


def _ran_away(losses: Sequence[float]) -> bool:
    """Whether the mean of the last losses is several times the least such mean; of losses above 0 alone."""
    if len(losses) < 2 * SMOOTHED:
        return False
    means = np.convolve(losses, np.full(SMOOTHED, 1 / SMOOTHED), "valid")
    return bool(means.min() > 0 and means[-1] > RUN_AWAY * means.min())


SMOOTHED = 5
"""Losses of which a mean is taken while the test goes on."""


def suggested(rates: list[float], losses: list[float], ended: str) -> RateTest:
    """The rates that losses suggest, smoothed by a bell over the logarithm of the rate, which delays nothing.

    Rates are in equal ratios. What comes after the least smoothed loss suggests nothing.
    """
    finite = [loss for loss in losses if isfinite(loss)]
    if len(finite) < FEWEST:
        return RateTest(rates, losses, finite, None, None, ended)
    sigma = max(1.5, len(finite) / 40)
    places = np.arange(len(finite))
    bell = np.exp(-0.5 * ((places[:, None] - places[None]) / sigma) ** 2)
    smooth = bell @ np.asarray(finite) / bell.sum(1)
    least = int(smooth.argmin())
    slopes = np.gradient(smooth)[: least + 1]
    falls = least > 0 and smooth[0] - smooth[least] > 0.02 * abs(smooth[0])
    steepest = rates[int(slopes.argmin())] if falls else None
    return RateTest(rates, losses, smooth.tolist(), steepest, rates[least] / 10 if falls else None, ended)


def plot(found: RateTest, title: str) -> bytes:
    """A PNG of the losses over the rates, with what is suggested."""
    import io

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_title(title, parse_math=False)
    number = len(found.smoothed)
    axes.plot(found.rates[:number], [loss for loss in found.losses if isfinite(loss)], color="0.75", label="each step")
    axes.plot(found.rates[:number], found.smoothed, color="C0", label="smoothed")
    marks = (("steepest fall", found.steepest, "C1"), ("a tenth of the least's", found.tenth, "C2"))
    for label, rate, colour in marks:
        if rate is not None:
            height = float(np.interp(np.log(rate), np.log(found.rates[:number]), found.smoothed))
            axes.plot([rate], [height], "o", color=colour, label=f"{label}: {rate:.2g}")
            axes.axvline(rate, color=colour, linewidth=0.8, linestyle=":")
    low, high = min(found.smoothed), max(found.smoothed[: max(1, number // 2)])
    # The last losses may be so large that nothing else is seen.
    axes.set_ylim(low - 0.1 * (high - low) - 1e-9, high + 0.4 * (high - low) + 1e-9)
    axes.set_xscale("log")
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss of the step's batch")
    axes.grid(alpha=0.3)
    axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()
