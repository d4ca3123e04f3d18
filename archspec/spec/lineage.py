"""`lineage`: when a network was published, whose idea it extends, and what it introduced.

Imported once a spec's lineage is asked for, or may be wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from archspec.fields import Text
from archspec.located import Mapping
from archspec.spec.network import YEARS, Section
from archspec.spec.reading import read_model

if TYPE_CHECKING:
    from archspec.diagnostics import Findings
    from archspec.spec.document import Document


def _read_names(value: Any) -> Any:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) and name.strip() for name in names):
        raise PydanticCustomError("names", "must be the name of a network, or a list of names")
    return tuple(names)


class Lineage(Section):
    """A network's place among others."""

    year: Annotated[int | None, Field(strict=True, ge=YEARS[0], le=YEARS[-1], description="when it was published")] = (
        None
    )
    after: Annotated[
        tuple[str, ...],
        BeforeValidator(_read_names),
        WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
        Field(description="the network of the zoo whose idea it extends, or several: the first is what it is held to"),
    ] = ()
    idea: Annotated[Text, Field(description="what it introduced, in one sentence")] = ""


def read_lineage(document: Document, findings: Findings) -> Lineage | None:
    """The `lineage` of a document whose arguments are bound; None where there is none or it is wrong.

    What `after` names is not looked up.
    """
    node, key = document.root.get("lineage"), document.root.key("lineage")
    if not isinstance(node, Mapping) or key is None:
        return None
    return read_model(Lineage, node, document.env, findings, "lineage", key.span)
