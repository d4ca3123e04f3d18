"""Pages of the families of kinds: what each kind does, its fields, and what it is written like."""

from __future__ import annotations

from typing import Any

from archspec.diagnostics import Findings
from archspec.figures.units import si
from archspec.kinds import FAMILIES, builtin_kinds, find_kind, plural
from archspec.layers import Example, Layer
from archspec.located import Located
from archspec.manual.markdown import MADE, code, default_of, paragraphs, plain, said, table
from archspec.reports.kinds import kind_to_dict, summary, written
from archspec.source import read_text
from archspec.spec.reading import FAILED, read_kind
from archspec.spec.schema import json_schema
from archspec.types import TensorType

ABOUT = {
    "layers": "Every kind of layer, by name. A layer stands in `layers:` by its name, with a plain value for its main "
    "field, or with fields; `name`, `from`, `when` and `weights` may be added to each ([the "
    "language](../language.md#layers)). Shapes are height × width × channels of one sample, or length × channels, or "
    "features. `archspec layers conv` prints what is here of one kind. What arranges layers (`repeat`, `parallel`, "
    "`split`, `residual`, `separable_conv`) is in [sections and words](language.md#words-of-layers).",
    "losses": "What `train: {loss: …}` or an output's `loss` makes small. [Training](../training.md#losses) says what "
    "they apply to outputs, and what does not count.",
    "metrics": "What `train: {metrics: […]}` or an output's `metrics` measures beside the task's own figures. "
    "[Training](../training.md#what-the-figures-mean) says what each figure means.",
    "tasks": "What `task:` says that outputs mean. [Training](../training.md#tasks) has targets, losses and figures of "
    "each.",
    "optimisers": "What `train: {optimiser: …}` changes weights by. Every optimiser of Optax goes by its name too, "
    "with its own arguments: [training](../training.md#optimisers); `archspec layers lamb` has those of one.",
    "schedules": "What `train: {schedule: …}` makes of the learning rate over time, a factor of the optimiser's. Those "
    "of Optax go by their names too: [training](../training.md#schedules).",
    "initialisers": "What `init` and `bias_init` of layers with weights draw these from. Of a kernel *fan in* is the "
    "number of values that make one output, *fan out* that of outputs that one value is in.",
    "writers": "Who is told of a run's figures besides its folder: `train: {log: …}`. [Runs](../runs.md) has what is "
    "always written.",
}
"""What comes before the kinds of a page. The other families have pages of their own, held to the classes by tests."""

PLACES = {
    "losses": "train: {{loss: {}}}",
    "metrics": "train: {{metrics: [{}]}}",
    "tasks": "task: {}",
    "optimisers": "train: {{optimiser: {}}}",
    "schedules": "train: {{schedule: {}}}",
    "initialisers": "- conv: {{filters: 64, kernel: 3, init: {}}}",
    "writers": "train: {{log: {}}}",
}
"""Where a kind of a family stands in a spec."""


def page(family: str) -> str:
    """The page of a family."""
    names = builtin_kinds(family)
    lines = [f"# {plural(FAMILIES[family]).capitalize()}", "", ABOUT[family], "", MADE, ""]
    kinds = [(name, find_kind(family, name)) for name in names]
    lines += table(
        (FAMILIES[family], ""), [(f"[`{name}`](#{name})", plain(summary(kind))) for name, kind in kinds if kind]
    )
    schemas = _schemas(family)
    for name, kind in kinds:
        assert kind is not None
        facts = kind_to_dict(name, family)
        lines += ["", f"## {name}", "", paragraphs(kind), ""]
        lines += _fields(facts, schemas.get(name, {}))
        if issubclass(kind, Layer):
            lines += _takes(kind) + _examples(kind)
        else:
            lines += ["", *_written(facts, family)]
    return "\n".join(lines).rstrip() + "\n"


def _schemas(family: str) -> dict[str, Any]:
    """The schema of each kind's fields by the kind's name."""
    defs = json_schema()["$defs"]
    source = defs["entry"]["anyOf"][2] if family == "layers" else defs[FAMILIES[family]]["anyOf"][1]
    return {name: source["properties"][name]["anyOf"][0]["properties"] for name in builtin_kinds(family)}


def _fields(facts: dict[str, Any], schemas: dict[str, Any]) -> list[str]:
    if not facts["fields"]:
        return ["It has no fields."]
    rows = [
        (code(name), said(schemas.get(name, {})), default_of(own), plain(own["description"] or ""))
        for name, own in facts["fields"].items()
    ]
    main = [f"A plain value sets `{facts['main']}`.", ""] if facts["main"] else []
    return [*main, *table(("field", "values", "default", ""), rows)]


def _written(facts: dict[str, Any], family: str) -> list[str]:
    """Where it stands, with its fields at their defaults; those that are required have none."""
    fields = {name: own["default"] for name, own in facts["fields"].items() if own["default"] is not None}
    needs = any(own["required"] for own in facts["fields"].values())
    text = facts["kind"] if needs or not fields else "{" + f"{facts['kind']}: {written(fields)}" + "}"
    if needs:
        required = ", ".join(f"{name}: …" for name, own in facts["fields"].items() if own["required"])
        text = "{" + f"{facts['kind']}: {{{required}}}" + "}"
    head = "As it is written:" if needs or not fields else "As it is written, with every default:"
    return [head, "", "```yaml", PLACES[family].format(text), "```"]


def _takes(kind: type[Layer]) -> list[str]:
    if (kind.min_inputs, kind.max_inputs) == (1, 1):
        return []
    most = {None: " or more", kind.min_inputs: ""}.get(kind.max_inputs, f" to {kind.max_inputs}")
    return ["", f"It takes {kind.min_inputs}{most} inputs: `from: [a, b]`."]


def _examples(kind: type[Layer]) -> list[str]:
    """Each example with its shapes as inferred, and what it costs; then the arithmetic of the first that has some."""
    rows, sums = [], list[str]()
    for example in kind.examples:
        layer, inputs = layer_of(kind, example)
        output = layer.infer(*inputs)
        weights = layer.weights(*inputs)
        arrays = " + ".join(f"{weight.name} {'·'.join(map(str, weight.shape))}" for weight in weights)
        trained = sum(weight.size for weight in weights if weight.role == "trainable")
        cost = layer.cost(inputs, output)
        fields = "" if example.fields in ({}, None) else f": {written(example.fields)}"
        rows.append(
            (
                code(f"- {kind.kind}{fields}"),
                ", ".join(map(str, inputs)),
                str(output),
                f"{arrays} ({trained:,})" if weights else "",
                si(cost.macs) if cost.macs else "",
                si(cost.flops),
            )
        )
        if not sums and (lines := list(layer.arithmetic(inputs, output))):
            sums = ["", f"Sizes of {code(f'- {kind.kind}{fields}')}, of {', '.join(map(str, inputs))}:", "", "```text"]
            sums += [*lines, "```"]
    head = ("example", "input", "output", "arrays (parameters)", "multiply–adds", "FLOPs")
    return ["", *table(head, rows), *sums]


def layer_of(kind: type[Layer], example: Example) -> tuple[Layer, tuple[TensorType, ...]]:
    """An example's layer, read as a spec's entry is, and the types of its inputs."""
    findings = Findings()
    text = kind.kind if example.fields in ({}, None) else "{" + f"{kind.kind}: {written(example.fields)}" + "}"
    node = read_text(text, "example", findings)
    assert isinstance(node, Located)
    layer = read_kind("layers", node, {}, findings)
    findings.raise_if_failed()
    assert layer is not FAILED and isinstance(layer, Layer)
    return layer, tuple(own if isinstance(own, TensorType) else TensorType(own) for own in example.inputs)
