"""Entries that arrange others: blocks, `repeat`, `parallel`, `residual`."""

from __future__ import annotations

from collections.abc import Sequence as Many
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import Label, Setting, count, did_you_mean, listed
from archspec.elaborate.placing import callers, one_of
from archspec.elaborate.scope import COMMON, PREVIOUS, UNKNOWN, Context, Entry, Values
from archspec.expressions import Environment, layered
from archspec.kinds import JOINS
from archspec.located import Located, Mapping, Scalar, Sequence, describe, is_null, locate
from archspec.spec.arguments import bind
from archspec.spec.document import Block
from archspec.spec.reading import FAILED, evaluate

if TYPE_CHECKING:
    from archspec.elaborate.entries import Expander


SHORTCUTS = ("identity", "projection", "zero_pad", "auto")


def fields(
    x: Expander, entry: Entry, known: Many[str], required: Many[str], context: Context | None = None
) -> Mapping | None:
    """The fields of a structural entry, checked for names. With a context what is left out is the owner's, if any."""
    if not isinstance(entry.content, Mapping):
        x.findings.error(
            "E203",
            f"{entry.kind} needs {listed(f'`{name}`' for name in required)}",
            entry.span,
            help=[f"fields: {listed([*known, *COMMON], 30)}"],
        )
        return None
    good = True
    meant: set[str | None] = set()
    for name, key, _ in entry.content.items():
        if name not in known and name not in COMMON:
            from archspec.spec.hints import field_hint

            hint = field_hint(name, [*known, *COMMON])
            meant.add(hint)
            x.findings.error(
                "E201",
                f"{entry.kind} has no field `{name[:60]}`",
                key.span,
                help=[hint or f"fields: {listed([*known, *COMMON], 30)}"],
            )
            good = False
    for name in required if entry.sharing is None else ():
        if name not in entry.content.entries and did_you_mean(name, [name]) not in meant:
            x.findings.error("E203", f"{entry.kind} needs `{name}`", entry.span)
            good = False
    if good and context is not None and entry.sharing is not None:
        from archspec.elaborate import sharing

        return sharing.over_owner(x, entry, entry.content, context)
    return entry.content if good else None


def block(x: Expander, block: Block, entry: Entry, context: Context, values: Values) -> Values:
    """A call of a block: its arguments are evaluated here, its layers where it was defined."""
    name = entry.name or context.scope.automatic(entry.kind)
    result: Values = (UNKNOWN,)
    values = block_inputs(x, block, entry, context, values)
    arguments = call_arguments(x, block, entry, context, values)
    if arguments is not None and not is_recursive(x, block, entry, context):
        home = block.document or x.document
        inner = opened(x, entry, context, name, layered(arguments, home.env))
        path = inner.scope.prefix[:-1]
        x.placer.calls[path] = arguments
        x.placer.blocks[path] = x.placer.blocks[path]._replace(arguments=arguments)
        inner.document = home
        inner.scope.inputs = values
        inner.scope.input_names = block.inputs
        inner.calls = (*context.calls, (block.name, entry.span))
        result = x.chain(block.layers, inner, values, f"layers of block {block.name}")
    x.placer.register(entry, name, result, context.scope)
    return result


def block_inputs(x: Expander, block: Block, entry: Entry, context: Context, values: Values) -> Values:
    """What a block takes at a call, as many values as it has named inputs; another number is reported."""
    if not block.inputs or len(values) == len(block.inputs):
        return values
    # Where `inputs` was written for `from`, that is reported among the arguments.
    told = isinstance(entry.content, Mapping) and bool(entry.content.entries.keys() & {"inputs", "input"})
    if UNKNOWN not in values and not told:
        names = listed(f"`{name}`" for name in block.inputs)
        given = ", ".join([PREVIOUS, *block.inputs[1:]])
        x.findings.error(
            "E307",
            f"block `{block.name}` takes {count(len(block.inputs), 'input')}, {names}, but is given {len(values)}",
            entry.span,
            secondary=[Label(block.key.span, "defined here"), *callers(context)],
            help=[f"name them in order: `from: [{given}]`"] if len(block.inputs) > 1 else one_of(values, context.scope),
        )
    return (UNKNOWN,) * len(block.inputs)


def call_arguments(x: Expander, block: Block, entry: Entry, context: Context, values: Values) -> dict[str, Any] | None:
    """Values of a block's arguments at a call; a plain value is the first one's. None with the reasons reported.

    Defaults see the types of the block's inputs, what is given those of the caller.
    """
    given: dict[str, tuple[Scalar, Located]] = {}
    content = entry.content
    if isinstance(content, Mapping):
        given = {name: (key, value) for name, key, value in content.items() if name not in COMMON}
    elif content is not None and not is_null(content):
        first = next(iter(block.arguments), None)
        if first is None:
            x.findings.error("E205", f"block `{block.name}` takes no value", content.span)
            return None
        given = {first: (Scalar(content.source, content.place, first), content)}
    written = dict(given)
    owner = entry.sharing.owner if entry.sharing is not None else None
    if owner is not None:
        from archspec.elaborate import sharing

        # What is left out is as at the call whose arrays are used.
        at = entry.kind_node
        for name, value in x.placer.calls[owner].items():
            given.setdefault(name, (Scalar(at.source, at.place, name), sharing.located(value, at)))
    bound: dict[str, Any] = {}
    env = (block.document or x.document).env
    if any(argument.default is not None and argument.default.dynamic for argument in block.arguments.values()):
        env = layered(env, x.seen(values, block.inputs, values))
    complete = bind(
        block.arguments,
        given,
        env,
        context.sight,
        x.findings,
        f"block `{block.name}`",
        entry.span,
        bound,
    )
    if complete and owner is not None:
        from archspec.elaborate import sharing

        complete = sharing.check_arguments(x, entry, written, bound, owner)
    return bound if complete else None


def is_recursive(x: Expander, block: Block, entry: Entry, context: Context) -> bool:
    """Whether a block is called while it is being expanded, which is reported."""
    names = [name for name, _ in context.calls]
    if block.name not in names:
        return False
    circle = " → ".join([*names[names.index(block.name) :], block.name])
    x.findings.error("E214", f"block `{block.name}` calls itself: {circle}", entry.span)
    return True


def opened(x: Expander, entry: Entry, context: Context, name: str, env: Environment | None = None) -> Context:
    """The context of a scope that an entry opens; its layers use the arrays of another where the entry says so."""
    inner = x.placer.opened(context.named(name, env), entry.kind, entry.span)
    entry.opened = inner.scope.prefix[:-1]
    if entry.sharing is not None:
        entry.sharing.own = entry.opened
        inner.sharing = entry.sharing
    return inner


def structure(x: Expander, entry: Entry, context: Context) -> Context:
    """The context of a structural entry: a scope of its own where it has a name."""
    if entry.name is None:
        return context.inner()
    inner = opened(x, entry, context, entry.name)
    assert entry.opened is not None
    x.placer.structures[entry.opened] = (entry, context)
    return inner


def is_named(entry: Entry) -> bool:
    """Whether an entry without a name takes the next free one."""
    if entry.kind not in ("repeat", "parallel", "residual"):
        return True
    tied = entry.content.get("tied") if isinstance(entry.content, Mapping) else None
    return entry.weights is not None or (isinstance(tied, Scalar) and tied.value not in (None, False))


def place_of(entry: Entry, field: str, inner: Context) -> Context:
    """Where layers in a field are expanded: those of an owner see what they saw there, and have names here."""
    theirs = entry.borrowed.get(field) if entry.borrowed else None
    if theirs is None:
        return inner
    calls = (*inner.calls, (entry.kind, entry.span))
    return Context(inner.scope, theirs.env, theirs.document, calls, inner.depth, sharing=inner.sharing)


def repeat(x: Expander, entry: Entry, context: Context, values: Values) -> Values:
    """Expands the layers so many times in a chain; named, each round is a scope with its number."""
    content = fields(x, entry, ("times", "as", "layers", "tied"), ("times", "layers"), context)
    if content is None:
        return (UNKNOWN,)
    times_node, layers = content.get("times"), content.get("layers")
    assert times_node is not None
    times = evaluate(times_node, context.sight, x.findings)
    if times is FAILED:
        return (UNKNOWN,)
    if not isinstance(times, int) or isinstance(times, bool) or times < 0:
        x.findings.error(
            "E206", f"`times` of repeat must be a whole number of 0 or more, not {describe(times)}", times_node.span
        )
        return (UNKNOWN,)
    counter = loop_variable(x, content)
    tied = is_tied(x, content, context)
    if counter is FAILED or tied is None:
        return (UNKNOWN,)
    if tied:
        from archspec.elaborate import sharing
    if tied and entry.name is None:
        # Rounds are told apart by their paths.
        entry.name = context.scope.automatic(entry.kind)
    x.count_rounds(times, entry.kind_node, context)
    single = single_entry(layers)
    outer = place_of(entry, "layers", structure(x, entry, context))
    alike = layers is None or not layers.dynamic
    for index in range(times):
        before = x.steps
        x.count_step(entry.kind_node, context)
        env = outer.env if counter is None else layered({counter: index}, outer.env)
        inner = Context(outer.scope, env, outer.document, outer.calls, outer.depth, sharing=outer.sharing)
        begin = len(x.placer.nodes)
        if tied and index > 0:
            place = content.key("tied")
            assert place is not None
            inner.sharing = sharing.Sharing(f"{entry.opened}.{index}", f"{entry.opened}.0", place.span)
        if entry.name is None:
            values = x.chain(layers, inner, values, "layers of repeat")
        elif single is not None:
            values = x.entry(single, inner, values, name=str(index))
        else:
            inner.scope = outer.scope.inner(str(index))
            values = x.chain(layers, inner, values, "layers of repeat")
            outer.scope.names[str(index)] = (values, entry.name_node.span)
        if tied and index == 0:
            x.placer.ranges[f"{entry.opened}.0"] = (begin, len(x.placer.nodes))
        elif tied and inner.sharing is not None:
            sharing.check_scope(x, inner.sharing, begin)
        if index == 0 and alike:
            x.count_rounds((times - 1) * (x.steps - before), entry.kind_node, context)
    if entry.name is not None:
        x.placer.register(entry, entry.name, values, context.scope)
    return values


def is_tied(x: Expander, content: Mapping, context: Context) -> bool | None:
    """Whether all rounds use the arrays of the first; None with the reason reported."""
    node = content.get("tied")
    value = False if node is None else evaluate(node, context.sight, x.findings)
    if value is FAILED:
        return None
    if not isinstance(value, bool):
        assert node is not None
        from archspec.spec.rewriting import flag

        help, mends = flag(node)
        said = f"`tied` of repeat is true or false, not {describe(value)}"
        x.findings.error("E206", said, node.span, help=help, mends=mends)
        return None
    return value


def loop_variable(x: Expander, content: Mapping) -> Any:
    """The name of the variable that counts rounds; None without one, `FAILED` when it is no name."""
    node = content.get("as")
    if node is None:
        return None
    if isinstance(node, Scalar) and isinstance(node.value, str) and node.value.isidentifier():
        return node.value
    x.findings.error("E206", f"`as` of repeat names a variable, not {node.described}", node.span)
    return FAILED


def single_entry(layers: Located | None) -> Located | None:
    """The one unnamed entry of a body, which then takes the number of the round as its name."""
    if not isinstance(layers, Sequence) or len(layers.items) != 1:
        return None
    item = layers.items[0]
    if isinstance(item, Mapping) and len(item.entries) == 1:
        content = next(iter(item.entries.values()))[1]
        return None if isinstance(content, Mapping) and content.get("name") is not None else item
    return item if isinstance(item, Scalar) else None


def parallel(x: Expander, entry: Entry, context: Context, values: Values) -> Values:
    """Expands branches that all take the same values, and joins what they give."""
    content = fields(x, entry, ("branches", "join"), ("branches",), context)
    branches = content.get("branches") if content else None
    if content is None or branches is None:
        return (UNKNOWN,)
    inner = place_of(entry, "branches", structure(x, entry, context))
    ends: list[int] = []
    if isinstance(branches, Sequence):
        for item in branches.items:
            ends.extend(x.chain(item, inner, values, "branches of parallel"))
    elif isinstance(branches, Mapping):
        for name, key, item in branches.items():
            branch = Entry("branch", key, None, name, key, key.span)
            if not x.is_name(name, key, name):
                ends.append(UNKNOWN)
                continue
            made = x.chain(item, x.placer.opened(inner.named(name), "branch", key.span), values, f"branch {name}")
            x.placer.register(branch, name, made, inner.scope)
            ends.extend(made)
    else:
        x.findings.error("E206", f"`branches` is a list of lists of layers, not {branches.described}", branches.span)
        return (UNKNOWN,)
    if not ends:
        x.findings.error("E206", "`branches` of parallel is empty", branches.span)
        return (UNKNOWN,)
    node = content.get("join")
    how = "concat" if node is None else evaluate(node, context.sight, x.findings)
    if how is FAILED:
        return (UNKNOWN,)
    if how not in JOINS:
        assert node is not None
        hint = did_you_mean(str(how), JOINS)
        x.findings.error(
            "E206",
            f"`join` is {', '.join(JOINS[:-1])} or {JOINS[-1]}, not {describe(how)}",
            node.span,
            help=[hint] if hint else [],
        )
        return (UNKNOWN,)
    return join(x, how, entry, context, inner, tuple(ends))


def join(
    x: Expander, kind: str, entry: Entry, context: Context, inner: Context, values: Values, help: Setting | None = None
) -> Values:
    """Joins branches; a named structure stands for the join's output."""
    if len(values) > 1:
        plain = Entry(kind, entry.kind_node, None, None, entry.kind_node, entry.span, implied=True)
        layer = x.read_layer(plain, context)
        if layer is None:
            return (UNKNOWN,)
        values = x.placer.add(layer, inner.scope.automatic(kind), plain, inner, values, help)
    if entry.name is not None:
        x.placer.register(entry, entry.name, values, context.scope)
    return values


def residual(x: Expander, entry: Entry, context: Context, values: Values) -> Values:
    """Expands layers and a shortcut around them, and adds the two (He et al. 2016)."""
    content = fields(x, entry, ("layers", "shortcut"), ("layers",), context)
    if content is None:
        return (UNKNOWN,)
    inner = structure(x, entry, context)
    body = x.chain(content.get("layers"), place_of(entry, "layers", inner), values, "layers of residual")
    node = content.get("shortcut")
    how: Any = "identity"
    if isinstance(node, Sequence):
        how = "layers"
    elif node is not None:
        how = evaluate(node, context.sight, x.findings)
    if how not in (*SHORTCUTS, "layers", FAILED):
        assert node is not None
        hint = did_you_mean(str(how), SHORTCUTS)
        x.findings.error(
            "E206",
            f"`shortcut` is {', '.join(SHORTCUTS)} or a list of layers, not {describe(how)}",
            node.span,
            help=[hint] if hint else [],
        )
        how = FAILED
    if how is FAILED or UNKNOWN in body or UNKNOWN in values:
        return join(x, "add", entry, context, inner, (UNKNOWN, UNKNOWN))
    if how in ("auto", "zero_pad"):
        same = [x.placer.type_of(value) for value in body] == [x.placer.type_of(value) for value in values]
        how = "identity" if same else ("projection" if how == "auto" else how)
    help: Setting | None = None
    if how == "identity":
        shortcut = values
        way = "`shortcut: projection` brings the input to the body's shape with a strided 1×1 convolution"
        help = Setting(way, (("shortcut", "projection"),))
    elif how == "layers":
        branch = x.placer.opened(inner.named(inner.scope.automatic("shortcut")), "shortcut", entry.span)
        shortcut = x.chain(node, place_of(entry, "shortcut", branch), values, "shortcut of residual")
    else:
        shortcut = changed(x, how, entry, context, inner, values, body)
    return join(x, "add", entry, context, inner, (*body, *shortcut), help)


def changed(
    x: Expander, how: str, entry: Entry, context: Context, inner: Context, values: Values, body: Values
) -> Values:
    """The input brought to the body's shape (He et al. 2016).

    `projection`, option B: a strided 1×1 convolution and batch normalisation. `zero_pad`, option A: every stride-th
    pixel, and channels of zeros.
    """
    have, want = x.placer.type_of(values[0]), x.placer.type_of(body[0])
    strides = []
    alike = len(have.spatial) == len(want.spatial)
    if alike and (how == "projection" or have.channels <= want.channels):
        for last, wanted in ((a - 1, b - 1) for a, b in zip(have.spatial, want.spatial, strict=True)):
            # The least stride with no more positions than are wanted; none fits where it has fewer.
            stride = last // (wanted + 1) + 1
            strides.append(stride if last // stride == wanted else 0)
    if not strides or 0 in strides:
        what = "strided 1×1 convolution" if how == "projection" else "stride with channels of zeros"
        x.findings.error(
            "E306",
            f"no {what} brings {have} to {want}",
            entry.span,
            secondary=callers(context),
            help=["give the shortcut as a list of layers"],
        )
        return (UNKNOWN,)
    branch = x.placer.opened(inner.named(inner.scope.automatic("shortcut")), "shortcut", entry.span)
    steps: Any = strides if have.is_map else strides[0]
    parts: list[tuple[str, dict[str, Any]]] = [("pad_channels", {"channels": want.channels, "stride": steps})]
    if how == "projection":
        conv = {"filters": want.channels, "kernel": 1, "stride": steps, "bias": False}
        parts = [("conv", conv), ("batch_norm", {})]
    key = entry.kind_node
    for kind, fields in parts:
        place = (key.source, key.place)
        given: dict[str, tuple[Scalar, Located]] = {
            name: (Scalar(*place, name), locate(value, *place)) for name, value in fields.items()
        }
        part = Entry(kind, key, Mapping(*place, given), None, key, entry.span, implied=True)
        layer = x.read_layer(part, context)
        if layer is None:
            return (UNKNOWN,)
        values = x.placer.add(layer, kind, part, branch, values)
    return values
