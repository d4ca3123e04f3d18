"""The language as JSON Schema (draft 2020-12), so that editors complete and check specs.

Made from the pydantic classes themselves. Blocks are kinds that only the spec knows, so an entry may have any key;
whether it names a block is for `archspec validate` to say.
"""

from __future__ import annotations

import inspect
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from archspec.kinds import (
    FAMILIES,
    JOINS,
    SEPARABLE,
    SPLIT_AXES,
    Kind,
    family_of_field,
    find_kind,
    kind_names,
    plain,
    takes_several,
)
from archspec.spec.arguments import TYPE_WORDS
from archspec.spec.inputs import MODELS
from archspec.spec.lineage import Lineage
from archspec.spec.network import SECTIONS, VARIANT_SECTIONS, Header, OutputSpec, Published, WeightSet
from archspec.spec.reading import fields_of
from archspec.spec.train import Train

Schema = dict[str, Any]

_EXPRESSION: Schema = {"$ref": "#/$defs/expression"}
_LAYERS: Schema = {"$ref": "#/$defs/layers"}
_LAID = "_laid_over"
"""Behind the word of a family: its kinds where they are laid over others, so that no field is required."""

_LEFT_OUT = ("outputs", "train", "lineage")
"""Sections that a variant may leave out by laying nothing over the file's, as `layers` and `weights` anywhere."""

_NAME = r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$"


class _Generator(GenerateJsonSchema):
    """Writes defaults as the language does: pydantic cannot write a kind whose validator was never built."""

    def encode_default(self, dft: Any) -> Any:
        return plain(dft)


def json_schema() -> Schema:
    """The schema of a spec file."""
    choices = {word.replace(" ", "_"): _choice(family) for family, word in FAMILIES.items() if family != "layers"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "archspec 1",
        "description": "A neural network for archspec.",
        "type": "object",
        "additionalProperties": False,
        "required": ["archspec", "name"],
        "properties": _sections(),
        "$defs": {
            "expression": {"type": "string", "pattern": r"\$\("},
            "layers": {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/entry"}}, {"type": "null"}]},
            "entry": _entry(),
            **choices,
            **{f"{word}{_LAID}": _partial(choice) for word, choice in choices.items()},
        },
    }


def _sections() -> Schema:
    header = _properties(Header)
    header["archspec"] = {"const": 1}
    args = {"type": "object", "description": f"defaults, or a type word: {', '.join(TYPE_WORDS)}"}
    own: Schema = {
        "input": _input(),
        "inputs": {"type": "object", "additionalProperties": {"anyOf": [_input(), {"type": "null"}]}},
        "layers": _LAYERS,
        "outputs": {
            "type": "object",
            "additionalProperties": {"anyOf": [{"type": "string"}, _object(OutputSpec)]},
        },
        "train": _object(Train),
        "lineage": _object(Lineage),
    }
    weights: Schema = {
        "anyOf": [
            {"type": "object", "additionalProperties": {"anyOf": [_object(WeightSet), {"type": "null"}]}},
            {"type": "null"},
        ]
    }
    published = _object(Published)
    sections: Schema = {
        **header,
        **own,
        "args": args,
        "variants": {
            "type": "object",
            "additionalProperties": {
                "anyOf": [
                    {
                        "type": "object",
                        "properties": {
                            "extends": {"type": "string", "description": "a variant or a spec that it starts from"},
                            **{
                                name: _or_nothing(_partial(schema)) if name in _LEFT_OUT else _partial(schema)
                                for name, schema in {**header, **own, "weights": weights}.items()
                                if name in VARIANT_SECTIONS
                            },
                        },
                    },
                    {"type": "null"},
                ]
            },
        },
        "import": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        "extends": {"type": "string"},
        "defaults": {
            "type": "object",
            "additionalProperties": False,
            "properties": {name: _object(_kind("layers", name), required=False) for name in kind_names("layers")},
        },
        "blocks": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["layers"],
                "properties": {
                    "args": args,
                    "inputs": {"type": "array", "minItems": 1, "items": {"type": "string"}},
                    "layers": _LAYERS,
                },
            },
        },
        "weights": weights,
        "published": {"anyOf": [published, {"type": "object", "additionalProperties": published}]},
    }
    return {name: {"description": text, **sections[name]} for name, text in SECTIONS.items()}


def _input() -> Schema:
    """An image, a signal or a vector."""
    return {"anyOf": [_object(model) for model in MODELS.values()]}


def _or_nothing(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _partial(schema: Schema) -> Schema:
    """For what is laid over another section: nothing is required, in the section or in those inside."""
    schema = {name: value for name, value in schema.items() if name != "required"}
    if schema.get("$ref", "").rpartition("/")[2] in FAMILIES.values():
        schema["$ref"] += _LAID
    if "anyOf" in schema:
        schema["anyOf"] = [_partial(choice) for choice in schema["anyOf"]]
    if "properties" in schema:
        schema["properties"] = {name: _partial(inner) for name, inner in schema["properties"].items()}
    if isinstance(schema.get("additionalProperties"), dict):
        schema["additionalProperties"] = _partial(schema["additionalProperties"])
    return schema


def _entry() -> Schema:
    kinds: Schema = {name: _content(_kind("layers", name), _common()) for name in kind_names("layers")}
    layers = _LAYERS
    branches = {
        "anyOf": [{"type": "array", "items": layers}, {"type": "object", "additionalProperties": layers}],
    }
    structure = {
        "repeat": (
            {
                "times": _or_expression({"type": "integer", "minimum": 0}),
                "as": {"type": "string"},
                "layers": layers,
                "tied": _or_expression({"type": "boolean"}),
            },
            ["times", "layers"],
        ),
        "parallel": (
            {"branches": branches, "join": _or_expression({"enum": list(JOINS)})},
            ["branches"],
        ),
        "split": (
            {
                "parts": _or_expression({"type": "integer", "minimum": 1}),
                "sizes": {"anyOf": [{"type": "array", "items": _or_expression({"type": "integer"})}, _EXPRESSION]},
                "axis": _or_expression({"enum": list(SPLIT_AXES)}),
            },
            [],
        ),
        "residual": (
            {
                "layers": layers,
                "shortcut": {"anyOf": [{"enum": ["identity", "projection", "zero_pad", "auto"]}, layers, _EXPRESSION]},
            },
            ["layers"],
        ),
    }
    of_parts = [(_properties(_kind("layers", kind)), fields) for kind, fields in SEPARABLE.values()]
    separable = {field: properties[field] for properties, fields in of_parts for field in fields}
    structure["separable_conv"] = (separable, ["filters", "kernel"])
    for name, (properties, required) in structure.items():
        kinds[name] = {
            "type": "object",
            "additionalProperties": False,
            **_needed(required),
            "properties": {**properties, **_common()},
        }
    kinds["split"] = {"anyOf": [kinds["split"], _or_expression({"type": "integer", "minimum": 1})]}
    return {
        "anyOf": [
            {"enum": kind_names("layers")},
            {"type": "string", "description": "a block, or an expression that names a kind"},
            {"type": "object", "minProperties": 1, "maxProperties": 1, "properties": kinds},
        ]
    }


def _common() -> Schema:
    names = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
    return {
        "name": {
            "anyOf": [{"type": "string", "pattern": _NAME}, {"type": "integer"}, _EXPRESSION],
            "description": "the layer's name in its scope",
        },
        "from": {**names, "description": "the layers whose outputs it takes, instead of the one before"},
        "weights": {
            "anyOf": [{"type": "string"}, {"type": "integer"}],
            "description": "the layer, block or structure whose arrays it uses; fields left out are as there",
        },
        "when": {**_or_expression({"type": "boolean"}), "description": "whether the layer is there"},
    }


def _choice(family: str) -> Schema:
    names = kind_names(family)
    bare = [name for name in names if not any(info.is_required() for info in _kind(family, name).model_fields.values())]
    return {
        "anyOf": [
            {"enum": bare},
            {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "additionalProperties": False,
                "properties": {name: _content(_kind(family, name), {}) for name in names},
            },
            _EXPRESSION,
        ]
    }


def _kind(family: str, name: str) -> type[Kind]:
    kind = find_kind(family, name)
    assert kind is not None
    return kind


def _content(kind: type[Kind], common: Schema) -> Schema:
    """What may follow a kind's name: its fields, its main value, or nothing when no field is required."""
    fields = _object(kind)
    fields["properties"].update(common)
    choices: list[Schema] = [fields]
    if kind.main is not None:
        choices.append(fields["properties"][kind.main])
    needed = fields.pop("required", [])
    if common:
        fields.update(_needed(needed))
    elif needed:
        fields["required"] = needed
    if not needed:
        choices.append({"type": "null"})
    documentation = (inspect.getdoc(kind) or "").split("\n\n")[0].replace("\n", " ")
    return {"description": documentation, "anyOf": choices}


def _needed(fields: list[str]) -> Schema:
    """The fields that an entry must have, where it has not those of the entry whose arrays it uses."""
    return {"anyOf": [{"required": fields}, {"required": ["weights"]}]} if fields else {}


def _object(model: type[BaseModel], *, required: bool = True) -> Schema:
    schema: Schema = {"type": "object", "additionalProperties": False, "properties": _properties(model)}
    needed = [name for name, info in fields_of(model).items() if info.is_required()]
    return {**schema, "required": needed} if required and needed else schema


def _properties(model: type[BaseModel]) -> Schema:
    """Each field's schema, or an expression in its place."""
    made = model.model_json_schema(schema_generator=_Generator)
    properties: Schema = {}
    for name, info in fields_of(model).items():
        family = family_of_field(info.metadata)
        if family:
            schema: Schema = {"$ref": f"#/$defs/{FAMILIES[family]}"}
            if takes_several(info.metadata):
                schema = {"anyOf": [{"type": "array", "items": schema}, schema]}
            if info.default is None and not info.is_required():
                schema = _or_nothing(schema)
            properties[name] = {**schema, "description": info.description or ""}
            continue
        schema = {key: value for key, value in made["properties"][name].items() if key not in ("title", "default")}
        sections = {section.__name__: section for section in _sections_in(info.annotation)}
        if sections:
            choices = [
                _object(sections[item["$ref"].rpartition("/")[2]]) if "$ref" in item else item
                for item in schema["anyOf"]
            ]
            schema = {**schema, "anyOf": choices}
        description = schema.pop("description", info.description or "")
        properties[name] = {**_or_expression(schema), "description": description}
        if not info.is_required():
            properties[name]["default"] = plain(info.default)
    return properties


def _sections_in(annotation: Any) -> list[type[BaseModel]]:
    """The models that an optional field may hold."""
    return [item for item in get_args(annotation) if isinstance(item, type) and issubclass(item, BaseModel)]


def _or_expression(schema: Schema) -> Schema:
    choices = schema["anyOf"] if set(schema) == {"anyOf"} else [schema]
    choices = [{**item, "items": _items(item["items"])} if "items" in item else item for item in choices]
    return {"anyOf": [*choices, _EXPRESSION]}


def _items(schema: Schema) -> Schema:
    return schema if schema.get("anyOf") else _or_expression(schema)
