"""`python -m archspec.codes` writes docs/diagnostics.md."""

from __future__ import annotations

from pathlib import Path


def main() -> None:
    from archspec.manual.codes import page

    (Path(__file__).parents[2] / "docs" / "diagnostics.md").write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
