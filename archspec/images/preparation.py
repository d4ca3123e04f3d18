"""What a dataset does to each of its images before the spec's `input.fit`: a record that a run folder keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

How = Literal["stretch", "fill"]


class Preparation(NamedTuple):
    """`size` is the height and width that images are scaled to, None for none, and `how` in which way.

    `stretch` scales both sides; `fill` scales an image until it just fills the size, and cuts off on both sides what
    sticks out. Scaling is bilinear, antialiased where images shrink.
    """

    size: tuple[int, int] | None = None
    how: How = "stretch"

    def to_plain(self) -> dict[str, Any]:
        """The record as plain data."""
        return {"size": None if self.size is None else list(self.size), "how": self.how}

    @classmethod
    def from_plain(cls, value: Mapping[str, Any]) -> Preparation:
        """The record from plain data. Raises `ValueError` where it is not one."""
        size, how = value.get("size"), value.get("how")
        sizes = isinstance(size, list) and len(size) == 2 and all(type(side) is int and side > 0 for side in size)
        if not (size is None or sizes) or how not in ("stretch", "fill"):
            raise ValueError("not a record of how images were prepared")
        return cls(None if size is None else (size[0], size[1]), how)
