"""The elaborated spec as YAML: one flat list of layers under their full paths, every default written out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import yaml

from archspec.expressions import escaped
from archspec.graph import INPUT, Graph
from archspec.kinds import plain
from archspec.source import resolve_plain
from archspec.spec.network import LANGUAGE_VERSION
from archspec.tasks import overruled

if TYPE_CHECKING:
    from archspec.loading import Spec
    from archspec.spec.lineage import Lineage

_ENDLESS = 2**31
"""A width that no line reaches."""


class _Dumper(yaml.SafeDumper):
    """Quotes every string that YAML 1.2 would read as something else, and never writes aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _string(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    value = escaped(value)
    try:
        quoted = not isinstance(resolve_plain(value), str)
    except ValueError:
        quoted = True
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="'" if quoted else None)


class Written(str):
    """Text as it stands in a spec: its `$(…)` are expressions and no characters."""

    __slots__ = ()


def _written(dumper: yaml.SafeDumper, value: Written) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(value))


_Dumper.add_representer(str, _string)
_Dumper.add_representer(Written, _written)


def dump(value: Any, *, flow: bool, ascii: bool = False) -> str:
    """Plain data as YAML: on one line, or each item on its own."""
    text: str = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=flow, sort_keys=False, allow_unicode=not ascii, width=_ENDLESS
    )
    return text.removesuffix("\n").removesuffix("\n...")


def elaborated_yaml(spec: Spec, *, ascii: bool = False, kept: bool = False) -> str:
    """The spec without arguments, blocks and repeats. Raises `SpecError` where the spec is wrong.

    With `ascii`, other characters are written as escapes. `kept` is for a folder that holds `kept_files` too.
    """
    before, after = framed(sections_of(spec, kept=kept), ascii=ascii)
    return "\n".join([*before, "layers:", *layer_lines(spec.graph(), ascii=ascii), *after]) + "\n"


def layer_lines(graph: Graph, *, ascii: bool = False) -> list[str]:
    """A line for each layer, with its path and all its fields."""
    return [f"  - {kind}: {dump(fields, flow=True, ascii=ascii)}" for kind, fields in _entries(graph)]


def framed(sections: Mapping[str, Any], *, ascii: bool = False) -> tuple[list[str], list[str]]:
    """The lines of all sections but the layers: those before the layers and those behind them."""
    apart = ("lineage", "input", "inputs", "outputs", "train", "weights", "published")
    before = [dump({name: value for name, value in sections.items() if name not in apart}, flow=False, ascii=ascii)]
    after: list[str] = []
    for name in apart:
        if name not in sections:
            continue
        lines = before if name in ("lineage", "input", "inputs") else after
        if name in ("lineage", "input", "published"):
            lines.append(f"{name}: " + dump(sections[name], flow=True, ascii=ascii))
        else:
            lines.append(f"{name}:")
            lines.extend(f"  {inner}: {dump(value, flow=True, ascii=ascii)}" for inner, value in sections[name].items())
    return before, after


def kept_files(spec: Spec) -> dict[str, bytes]:
    """What a folder keeps beside the spec, by name: the mean images of its inputs."""
    images = [image.mean_pixels for image in spec.images.values()]
    return {image.name: image.content for image in images if image is not None}


def sections_of(spec: Spec, *, kept: bool = False) -> dict[str, Any]:
    """Every section but the layers as plain data, defaults filled in. Raises `SpecError` where the spec is wrong."""
    graph = spec.graph()
    header = {name: value for name, value in plain(spec.header).items() if value != ""}
    sections: dict[str, Any] = {**header, "archspec": LANGUAGE_VERSION, "name": spec.name}
    if spec.lineage is not None:
        sections["lineage"] = _given({**plain(spec.lineage), "after": _after(spec.lineage)})
    inputs = {name: _given(plain(input)) for name, input in spec.inputs.items()}
    if kept:
        for name, image in spec.images.items():
            if image.mean_pixels is not None:
                inputs[name]["mean_image"] = image.mean_pixels.name
    if list(inputs) == ["input"]:
        sections["input"] = inputs["input"]
    else:
        sections["inputs"] = inputs
    outputs = sections["outputs"] = {}
    for output in graph.outputs:
        source = graph.source_name(output.node)
        fields = {"from": source, "weight": output.weight, "train_only": output.train_only}
        own = {name: getattr(output, name) for name in ("task", "target", "loss", "metrics")}
        fields.update({name: plain(value) for name, value in own.items() if value is not None})
        outputs[output.name] = fields
    if spec.train is not None:
        sections["train"] = {
            name: value
            for name, value in plain(spec.train).items()
            if value is not None and not (name in ("loss", "metrics") and overruled(graph, name))
        }
    if spec.weights:
        sections["weights"] = {name: _given(plain(weights)) for name, weights in spec.weights.items()}
    if spec.published is not None and spec.is_usual:
        sections["published"] = _given(plain(spec.published))
    return sections


def _after(lineage: Lineage) -> str | list[str] | None:
    """The names that `after` has, as one writes them."""
    return lineage.after[0] if len(lineage.after) == 1 else list(lineage.after) or None


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None and value != ""}


def _entries(graph: Graph) -> list[tuple[str, dict[str, Any]]]:
    """Kind and fields of every node; `from` only where a node does not follow the one before it."""
    entries = []
    for index, node in enumerate(graph.nodes):
        fields: dict[str, Any] = {"name": node.path}
        before = (INPUT if len(graph.inputs) == 1 else None) if index == 0 else index - 1
        names = [graph.source_name(source) for source in node.inputs]
        referred = node.layer.referred() if node.layer.references else {}
        data = len(names) - len(referred)
        if node.inputs[:data] != (before,):
            fields["from"] = names[0] if data == 1 else names[:data]
        written = node.layer.to_plain()
        fields.update(written[node.kind] if isinstance(written, dict) else {})
        # Names of other layers were looked up where the layer stood; here only full paths hold.
        fields.update(zip(referred, names[data:], strict=True))
        if node.shares is not None:
            fields["weights"] = node.shares
        entries.append((node.kind, fields))
    return entries
