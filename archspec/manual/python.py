"""The page of the Python API, made of the package's source: signatures and docstrings of all public names."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import archspec
from archspec.manual.markdown import MADE, plain, table

ROOT = Path(archspec.__file__).parent

HEAD = f"""# Python API

All of `archspec`'s public names, which `import archspec` gives once they are used. [From Python](../python.md) has them
in examples. Everything that takes a spec takes what `archspec.load` takes too.

{MADE}
"""

GROUPS = {
    "Specs and graphs": ("load", "Spec", "Graph", "Node", "TensorType", "report", "Report", "draw", "DrawingError"),
    "Networks and training": ("build", "train", "sweep", "table_of_runs"),
    "Runs": ("open", "Run", "explain", "walkthrough", "invariance"),
    "In and out": ("export", "import_model", "import_torch", "Imported"),
    "Differences": ("diff", "Comparison"),
    "What is wrong": ("SpecError", "Diagnostic", "ShapeError"),
    "Kinds of one's own": ("plugin", "Layer", "Example", "Weight", "Cost", "Window"),
}
"""Names by what they are for; a name of no group comes last."""

Definition = ast.FunctionDef | ast.ClassDef


class Found(NamedTuple):
    """Where a name is defined: the module, and its part of the syntax tree."""

    module: str
    node: Definition


def page() -> str:
    """docs/reference/python.md."""
    names = list(archspec._HOMES)
    grouped = {name for own in GROUPS.values() for name in own}
    others = tuple(name for name in names if name not in grouped)
    groups = {**GROUPS, **({"Others": others} if others else {})}
    rows = []
    for own in groups.values():
        for name in own:
            found = find(archspec._HOMES[name], name)
            rows.append((f"[`{name}`](#{anchor(name)})", plain(_first(found.node))))
    lines = [HEAD, *table(("name", ""), rows)]
    for title, own in groups.items():
        lines += ["", f"## {title}"]
        for name in own:
            lines += _of(name, find(archspec._HOMES[name], name))
    return "\n".join(lines) + "\n"


def anchor(name: str) -> str:
    return f"archspec{name}".lower()


@cache
def _tree(module: str) -> ast.Module:
    path = ROOT.parent / Path(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text("utf-8"))


def find(module: str, name: str) -> Found:
    """Where a module's name is defined, through what it imports. Raises `LookupError` where that cannot be told."""
    for node in ast.walk(_tree(module)):
        if isinstance(node, Definition) and node.name == name:
            return Found(module, node)
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("archspec"):
            for item in node.names:
                if (item.asname or item.name) == name:
                    return find(node.module, item.name)
    raise LookupError(f"{module} has no {name}")


def _of(name: str, found: Found) -> list[str]:
    node = found.node
    lines = ["", f"### archspec.{name}", ""]
    if isinstance(node, ast.FunctionDef):
        return [*lines, "```python", signature(node, f"archspec.{name}"), "```", "", *_doc(node)]
    bases = [ast.unparse(base) for base in node.bases if ast.unparse(base) not in ("Protocol",)]
    lines += [
        "```python",
        f"class archspec.{name}" + (f"({', '.join(bases)})" if bases else ""),
        "```",
        "",
        *_doc(node),
    ]
    fields = [(f"`{field}`", f"`{kind}`", plain(about)) for field, kind, about in _fields(node)]
    if fields:
        lines += ["", *table(("field", "type", ""), fields)]
    for method in _methods(node):
        is_property = any(ast.unparse(item).split(".")[-1].endswith("property") for item in method.decorator_list)
        shown = f"{name}.{method.name}"
        text = (
            f"{shown}{': ' + ast.unparse(method.returns) if method.returns else ''}"
            if is_property
            else signature(method, shown)
        )
        lines += ["", "```python", text, "```", "", *_doc(method)]
    return lines


def _doc(node: Definition) -> list[str]:
    return [plain(ast.get_docstring(node) or "")]


def _first(node: Definition) -> str:
    """The first sentence of a docstring."""
    text = (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")
    return re.split(r"(?<=[.:]) ", text)[0]


def _methods(node: ast.ClassDef) -> Iterator[ast.FunctionDef]:
    """Public methods and properties that say what they do."""
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and not item.name.startswith("_") and ast.get_docstring(item):
            yield item


def _fields(node: ast.ClassDef) -> Iterator[tuple[str, str, str]]:
    """Public fields with their types, and what is said below them."""
    for index, item in enumerate(node.body):
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and not item.target.id.startswith("_"):
            after = node.body[index + 1] if index + 1 < len(node.body) else None
            about = ""
            if (
                isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
                and isinstance(after.value.value, str)
            ):
                about = inspect.cleandoc(after.value.value).replace("\n", " ")
            kind = ast.unparse(item.annotation)
            kind = re.sub(r"^(?:ClassVar|Final)\[(.*)\]$", r"\1", kind)
            yield item.target.id, kind, about


def signature(node: ast.FunctionDef, shown: str) -> str:
    """A call as it is written, an argument a line where it is long; without `self`."""
    taken = node.args
    plainly = [*taken.posonlyargs, *taken.args]
    defaults = [None] * (len(plainly) - len(taken.defaults)) + list(taken.defaults)
    parts = [
        _argument(item, default)
        for item, default in zip(plainly, defaults, strict=True)
        if item.arg not in ("self", "cls")
    ]
    if taken.vararg:
        parts.append(f"*{_argument(taken.vararg, None)}")
    elif taken.kwonlyargs:
        parts.append("*")
    parts += [_argument(item, default) for item, default in zip(taken.kwonlyargs, taken.kw_defaults, strict=True)]
    if taken.kwarg:
        parts.append(f"**{_argument(taken.kwarg, None)}")
    gives = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    line = f"{shown}({', '.join(parts)}){gives}"
    if len(line) <= 100:
        return line
    return "\n".join([f"{shown}(", *(f"    {part}," for part in parts), f"){gives}"])


def _argument(item: ast.arg, default: ast.expr | None) -> str:
    text = f"{item.arg}: {ast.unparse(item.annotation)}" if item.annotation else item.arg
    if default is None:
        return text
    return f"{text} = {ast.unparse(default)}" if item.annotation else f"{text}={ast.unparse(default)}"
