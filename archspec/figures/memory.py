"""Bytes that a network needs for inference and for training, predicted from its graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, TypeVar

from archspec.figures.cost import indexed, trained
from archspec.graph import Graph, Node, input_number, is_input
from archspec.optimisers import Optimiser, default_optimiser
from archspec.types import DTYPE_BYTES, DTYPES

Key = TypeVar("Key")

DRAWN = 16
"""Bytes for each random number while it is drawn."""

COPIES = "copies"
"""The part that only XLA on CPUs needs."""


class MemoryPart(NamedTuple):
    """One thing that takes memory: bytes whatever the batch, and bytes per sample."""

    fixed: int = 0
    per_sample: int = 0


class Memory(NamedTuple):
    """Bytes needed at once: `fixed` whatever the batch, `per_sample` for each sample of it.

    `parts` says by name what they consist of; the parts' sums are `fixed` and `per_sample`. They are those of the
    moment when most is alive. Where arrays are shared, that moment depends on the batch: these are then of a large
    one, `others` of the moments that smaller batches need most at. `alone` is for a batch of one, where it needs less
    than the rest says.
    """

    fixed: int
    per_sample: int
    parts: Mapping[str, MemoryPart] = {}
    others: tuple[Memory, ...] = ()
    alone: Memory | None = None

    def peak(self, batch: int) -> Memory:
        """What is alive at the moment when a batch of so many samples needs most."""
        if batch == 1 and self.alone is not None:
            return self.alone
        moments = (self._replace(others=(), alone=None), *self.others)
        return max(moments, key=lambda moment: moment.fixed + batch * moment.per_sample)

    def at(self, batch: int) -> int:
        """Bytes for a batch of so many samples."""
        peak = self.peak(batch)
        return peak.fixed + batch * peak.per_sample

    def portable(self) -> Memory:
        """The same without the copies that only XLA on CPUs makes."""
        found = _sum({name: part for name, part in self.parts.items() if name != COPIES})
        others = tuple(other.portable() for other in self.others)
        return found._replace(others=others, alone=None if self.alone is None else self.alone.portable())

    def largest_batch(self, budget: int) -> int:
        """The largest batch that fits into so many bytes; 0 when even one sample does not fit."""
        largest = min((budget - moment.fixed) // moment.per_sample for moment in (self, *self.others))
        return largest if largest > 0 else int(self.at(1) <= budget)


def inference(graph: Graph, dtype: str = "float32") -> Memory:
    """Bytes at the peak of a forward pass in evaluation.

    `weights` and `statistics` are arrays of `dtype`. `activations` are the largest set of tensors alive at once when
    layers run in the graph's order: a tensor dies after its last use, element-wise layers write over an input that
    dies with them, and a view of a tensor is that tensor. Raises ValueError for another dtype than float32, bfloat16
    and float16.
    """
    width = _width(dtype)
    seen = graph.pruned("eval")
    return _sum(
        {
            "weights": MemoryPart(width * seen.params),
            "statistics": MemoryPart(width * seen.count("statistics")),
            "activations": MemoryPart(0, _alive(seen, width)),
        }
    )


def training(
    graph: Graph,
    dtype: str = "float32",
    optimiser: Optimiser | None = None,
    *,
    frozen: Collection[str] = (),
    parts: int = 1,
    averaged: bool = False,
    recomputed: Sequence[Sequence[int]] = (),
) -> Memory:
    """Bytes at the peak of a training step, train-only heads included.

    `optimiser` is Adam where none is given; layers whose paths are `frozen` are not trained, and nothing is kept for
    those of them below which nothing is trained.

    A 16-bit `dtype` means mixed precision (Micikevicius et al. 2018): the weights, their gradients as the optimiser
    takes them, the optimiser's state and the statistics are float32; beside the weights lies a 16-bit copy, which the
    passes work with, and input, activations and their gradients have 16 bits. Raises ValueError for another dtype than
    float32, bfloat16 and float16.

    A batch may go through in `parts` micro-batches: then a sample's tensors are there for its part alone, and gradients
    are added up beside those of a part. Moving averages (`averaged`) are another copy of weights and statistics. Of the
    nodes of each `recomputed` stretch, by first and last index in the graph pruned to training, only what goes in is
    kept, until the backward pass computes them anew.

    Parts: `weights` (with frozen ones), `weight copies` (mixed precision), `statistics`, `averages`, `gradients` and
    `optimiser state` (of trained weights), `input`; and of the moment when most is alive: `activations` (kept for the
    backward pass, each tensor once), `masks` (and indices, or random numbers while they are drawn), `activation
    gradients`, and `copies`, which XLA on CPUs alone makes: each convolution's input and gradient with the batch as
    last axis. Where arrays are shared, `gradients` has each use's too, until the last one's is there to be added.
    docs/memory.md has the rules.
    """
    width = _width(dtype)
    seen = graph.pruned("train")
    optimiser = optimiser or default_optimiser()
    changed = sum(node.count("trainable") for node in seen.nodes if node.owner not in frozen)
    state = optimiser.state_numbers(trained_shapes(seen, frozen))
    params, statistics = seen.params, seen.count("statistics")
    given = sum(item.type.size for item in seen.inputs)

    def share(size: int) -> int:
        """Of a sample's bytes what is there on average over the batch, of which a part is there at a time."""
        return -(-size // parts)

    # The sums over parts wait beside what is added to them, one array at a time; the batch as a whole is float32.
    sums = 4 * max((node.count("trainable") for node in seen.nodes if node.owner not in frozen), default=0)
    sums = sums if parts > 1 else 0
    whole = width * given if parts == 1 else 4 * given + share(width * given)

    def memory(moment: _Backward, unwritten: int = 0, copy: int = 0) -> Memory:
        return _sum(
            {
                "weights": MemoryPart(4 * params),
                "weight copies": MemoryPart(width * params if width < 4 else 0),
                "statistics": MemoryPart(4 * statistics),
                "averages": MemoryPart(4 * (params + statistics) if averaged else 0),
                "gradients": MemoryPart(4 * (changed - unwritten) + moment.waiting + sums),
                "optimiser state": MemoryPart(4 * state),
                "input": MemoryPart(0, whole),
                "activations": MemoryPart(0, share(moment.activations)),
                "masks": MemoryPart(0, share(moment.masks)),
                "activation gradients": MemoryPart(0, share(moment.gradients)),
                COPIES: MemoryPart(copy, share(moment.copies)),
            }
        )

    shared = {node.owner for node in seen.nodes if node.shares is not None} - set(frozen)
    (peak, *others), alone = _backward(seen, frozen, width, shared, recomputed)
    found = memory(peak)
    if not shared:
        return found
    if parts > 1:
        return found._replace(others=tuple(map(memory, others)))
    products = [
        (node.count("trainable"), below)
        for node, (own, below) in zip(seen.nodes, trained(seen, frozen), strict=True)
        if own and node.counted and _is_product(node)
    ]
    unwritten = sum(count for count, _ in products)
    # Such an array is read for its input's gradient while its update is written over it, so XLA copies it, one a time.
    # Where something below uses it too, or nothing below is trained, the update has to wait for that anyway.
    copy = 4 * max((count for count, below in products if below), default=0)
    return found._replace(others=tuple(map(memory, others)), alone=memory(alone, unwritten, copy))


def trained_shapes(graph: Graph, frozen: Collection[str] = ()) -> list[tuple[int, ...]]:
    """The shapes of the arrays that a step changes, each once."""
    nodes = (node for node in graph.nodes if node.owner not in frozen and node.counted)
    return [weight.shape for node in nodes for weight in node.weights if weight.role == "trainable"]


def _sum(parts: dict[str, MemoryPart]) -> Memory:
    used = {name: part for name, part in parts.items() if part != MemoryPart()}
    return Memory(sum(part.fixed for part in used.values()), sum(part.per_sample for part in used.values()), used)


def _width(dtype: str) -> int:
    if dtype not in DTYPES:
        raise ValueError(f"dtype is {', '.join(DTYPES[:-1])} or {DTYPES[-1]}, not {dtype}")
    return DTYPE_BYTES[dtype]


def _owners(graph: Graph) -> list[int]:
    """For each node the node whose memory its output is: itself but for views."""
    owners: list[int] = []
    for index, node in enumerate(graph.nodes):
        source = node.inputs[0]
        owners.append(_owner(owners, source) if node.layer.is_view else index)
    return owners


class _Backward(NamedTuple):
    """Bytes alive at a moment of a training step: per sample, and of gradients that `waiting` whatever the batch."""

    activations: int = 0
    masks: int = 0
    copies: int = 0
    gradients: int = 0
    waiting: int = 0

    def order(self) -> tuple[int, ...]:
        """By bytes per sample, and where these are the same by what they are."""
        return (self.activations + self.masks + self.copies + self.gradients, *self)


def _is_product(node: Node) -> bool:
    """Whether each weight meets each sample once, as a dense layer's: its gradient is a sum over the batch alone."""
    return not node.layer.transposes and 0 < node.cost.macs == max((weight.size for weight in node.arrays), default=0)


def _backward(
    graph: Graph,
    frozen: Collection[str],
    width: int,
    shared: Collection[str],
    recomputed: Sequence[Sequence[int]] = (),
) -> tuple[list[_Backward], _Backward]:
    """Walks through the backward pass, last layer first.

    A tensor that some backward pass needs lives until the earliest layer that needs it has had its turn; the gradient
    of a tensor from the last layer that takes it to the one that made it. Element-wise layers write the gradient of
    their input over that of their output. Of `shared` arrays, by the paths that they stand under, each use has a
    gradient of its own; all wait until the last is there, when their sum is written over one of them.

    What only layers within a `recomputed` stretch need of one another is there from the turn of its last layer on.

    Gives the moments at which most is alive with some batch, that of the largest batches first, and that of a batch of
    one: a gradient that is then one product of two numbers is not written but computed where it is added.
    """
    owners = _owners(graph)
    nodes = graph.nodes
    asked = trained(graph, frozen)
    # Whether something is trained at the node or below; only there are gradients.
    depends = [own or below for own, below in asked]
    # Keys are tensors, and for those that a stretch has made anew its last layer, from whose turn on they are there.
    until: dict[tuple[int, int | None], int] = {}
    copied: dict[tuple[int, int | None], int] = {}
    # Tensors that some layer needs as they lie. Of the others the turned copy is all that is kept.
    inputs = {input_number(place) for place in range(len(graph.inputs))}
    as_it_is = set(inputs)
    extras: list[tuple[int, int]] = []
    last_of = {index: stretch[1] for stretch in recomputed for index in range(stretch[0], stretch[1] + 1)}
    for index, node in enumerate(nodes):
        own = asked[index][0]
        extra = (0, 0)
        last = last_of.get(index)
        if depends[index]:
            kept = node.kept
            for number in (*kept.inputs, *(kept.weight_inputs if own else ())):
                if node.ports[number] == "value":
                    owner = _owner(owners, node.inputs[number])
                    inner = last if last is not None and last_of.get(owner) == last else None
                    until[owner, inner] = min(until.get((owner, inner), index), index)
                    if number in kept.inputs or not node.layer.transposes:
                        as_it_is.add(owner)
            if kept.output:
                until.setdefault((owners[index], last), index)
                as_it_is.add(owners[index])
            if own and node.layer.transposes:
                copied.setdefault((_owner(owners, node.inputs[0]), last), index)
            extra = (width * kept.elements, kept.bytes)
        if last is not None:
            for owner in {_owner(owners, source) for source in node.value_sources}:
                if last_of.get(owner) != last:
                    # What goes into a stretch is kept, to compute it anew.
                    until[owner, None] = min(until.get((owner, None), last), last)
                    as_it_is.add(owner)
        extras.append(extra)

    def size(owner: int) -> int:
        return width * graph.source_type(owner).size

    # The loss begins with the outputs and their probabilities.
    gradients = {
        owners[output.node]: size(owners[output.node]) for output in graph.outputs if not is_input(output.node)
    }
    kept_sizes = {key: size(key[0]) for key in until if key[0] not in inputs}
    copy_sizes = {key: size(key[0]) for key in copied if key[0] in as_it_is}
    kept_ends, copies_ends = _by_end(until), _by_end(copied)
    # Sums are carried along, so that the time grows with the layers and not with their square.
    kept_sum, copies_sum = (
        sum(alive for (_, last), alive in sizes.items() if last is None) for sizes in (kept_sizes, copy_sizes)
    )
    gradient_sum = sum(gradients.values())
    uses = [node for node, (own, _) in zip(nodes, asked, strict=True) if own and node.owner in shared]
    waiting, waiting_alone = _Waiting(uses, width), _Waiting([node for node in uses if not _is_product(node)], width)
    # Most alive for each amount that waits; and with a batch of one.
    alone = _drawing(graph, extras, kept_sizes, copy_sizes, width, last_of)
    best = {0: alone} if any(alone) else {}
    extra_now, mask_now = (sum(extra[k] for index, extra in enumerate(extras) if index not in last_of) for k in (0, 1))
    anew = {last: range(first, last + 1) for first, last, *_ in recomputed}
    for index in reversed(range(len(nodes))):
        node = nodes[index]
        if index in anew:
            kept_sum += sum(alive for (_, last), alive in kept_sizes.items() if last == index)
            copies_sum += sum(alive for (_, last), alive in copy_sizes.items() if last == index)
            extra_now += sum(extras[inner][0] for inner in anew[index])
            mask_now += sum(extras[inner][1] for inner in anew[index])
        if depends[index] and owners[index] == index:
            given = gradients.pop(index, 0)
            gradient_sum -= given
            made = {_owner(owners, source) for source in node.value_sources if depends[source]}
            new = {owner: size(owner) for owner in made if owner not in gradients}
            passing = 0 if node.layer.in_place and given in new.values() else given
            turned = given if asked[index][0] and node.layer.transposes else 0
            gradients.update(new)
            gradient_sum += sum(new.values())
            inside = width * node.layer.scratch(node.input_types, node.output)[1]
            waiting.made(node)
            waiting_alone.made(node)
            now = _Backward(
                kept_sum + extra_now, mask_now, copies_sum + turned, gradient_sum + passing + inside, waiting.size
            )
            best[now.waiting] = max(best.get(now.waiting, now), now, key=_Backward.order)
            alone = max(alone, now._replace(waiting=waiting_alone.size), key=sum)
            waiting.added(node)
            waiting_alone.added(node)
        kept_sum -= sum(kept_sizes.get(owner, 0) for owner in kept_ends.get(index, ()))
        copies_sum -= sum(copy_sizes.get(owner, 0) for owner in copies_ends.get(index, ()))
        extra_now -= extras[index][0]
        mask_now -= extras[index][1]
    moments: list[_Backward] = []
    for moment in sorted(best.values(), key=_Backward.order, reverse=True):
        if not moments or moment.waiting > moments[-1].waiting:
            moments.append(moment)
    return moments or [_Backward()], alone


def _drawing(
    graph: Graph,
    extras: Sequence[tuple[int, int]],
    kept: Mapping[tuple[int, int | None], int],
    copies: Mapping[tuple[int, int | None], int],
    width: int,
    last_of: Mapping[int, int],
) -> _Backward:
    """The moment of the forward pass when most is alive while a layer draws random numbers.

    Threefry, JAX's generator, makes of a counter of two 32-bit words for each number two others. XLA holds all four. To
    these come what layers before keep and what the layer takes. What a stretch makes anew, its layers alone keep.
    """
    most = _Backward()
    own = mask = inner = inner_mask = 0
    turned = sum(size for (owner, _), size in copies.items() if is_input(owner))
    for index, node in enumerate(graph.nodes):
        last = last_of.get(index)
        if node.layer.uses_key:
            drawn = node.kept.bytes
            source = node.inputs[0]
            taken = 0 if (source, None) in kept or (source, last) in kept else width * node.input_types[0].size
            now = _Backward(own + inner + taken, mask + inner_mask + DRAWN * drawn, turned)
            most = max(most, now, key=_Backward.order)
        own += kept.get((index, None), 0)
        turned += copies.get((index, None), 0)
        if last is None:
            own += extras[index][0]
            mask += extras[index][1]
        else:
            inner += extras[index][0] + kept.get((index, last), 0)
            inner_mask += extras[index][1]
            if index == last:
                inner = inner_mask = 0
    return most


class _Waiting:
    """Bytes of gradients that wait because an array has further uses. The first of an array's counts elsewhere."""

    def __init__(self, uses: Sequence[Node], width: int) -> None:
        self.size = 0
        self._width = width
        self._left = Counter(node.owner for node in uses)
        self._there = dict.fromkeys(self._left, 0)

    def made(self, node: Node) -> None:
        """The gradient of a use is computed."""
        if node.owner in self._left:
            self._left[node.owner] -= 1
            self._there[node.owner] += 1
            if self._there[node.owner] > 1:
                self.size += self._width * node.uses("trainable")

    def added(self, node: Node) -> None:
        """Where it was the last of an array's, their sum is all that is left."""
        if self._left.get(node.owner) == 0:
            self.size -= self._width * node.uses("trainable") * (self._there.pop(node.owner) - 1)
            del self._left[node.owner]


def _by_end(until: Mapping[Key, int]) -> dict[int, list[Key]]:
    """What lives until each node."""
    ends: dict[int, list[Key]] = {}
    for owner, end in until.items():
        ends.setdefault(end, []).append(owner)
    return ends


def _owner(owners: list[int], source: int) -> int:
    return source if is_input(source) else owners[source]


def _alive(graph: Graph, width: int) -> int:
    """Bytes per sample of the largest set of tensors alive at once."""
    owners, taken = _owners(graph), indexed(graph)
    # What nothing takes dies when it is made.
    last = {index: index for index, owner in enumerate(owners) if owner == index}
    for index, node in enumerate(graph.nodes):
        for source, port in zip(node.inputs, node.ports, strict=True):
            if port == "value":
                last[_owner(owners, source)] = index
            elif port == "indices":
                last[_ticket(source)] = index
    for output in graph.outputs:
        last[_owner(owners, output.node)] = len(graph.nodes)
    ends = _by_end(last)
    alive = {input_number(place): width * item.type.size for place, item in enumerate(graph.inputs)}
    inputs = set(alive)
    now = peak = sum(alive.values())
    for index, node in enumerate(graph.nodes):
        dying = ends.get(index, [])
        if owners[index] == index:
            made = width * node.output.size
            if node.layer.in_place:
                sources = {_owner(owners, source) for source in node.inputs} - inputs
                over = next((key for key in dying if key in sources and alive.get(key) == made), None)
                now -= 0 if over is None else alive.pop(over)
            alive[index] = made
            now += made
            taps = node.layer.tap_indices(*node.input_types) if index in taken else None
            if taps is not None:
                alive[_ticket(index)] = taps.bytes
                now += taps.bytes
            peak = max(peak, now + width * node.layer.scratch(node.input_types, node.output)[0])
        for key in dying:
            now -= alive.pop(key, 0)
    return peak


def _ticket(index: int) -> int:
    """The key of a node's indices beside its output's, far from those of the network's inputs."""
    return -(2**40) - index
