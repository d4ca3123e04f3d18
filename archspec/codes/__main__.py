"""`python -m archspec.codes` writes docs/diagnostics.md."""

from __future__ import annotations

from pathlib import Path

from archspec.codes.page import page

if __name__ == "__main__":
    (Path(__file__).parents[2] / "docs" / "diagnostics.md").write_text(page(), "utf-8")
