"""`python -m archspec.exporting` writes the table of kinds and targets into docs/export.md."""

from pathlib import Path

from archspec.exporting.table import with_table

PAGE = Path(__file__).parents[2] / "docs" / "export.md"

if __name__ == "__main__":
    text = with_table(PAGE.read_text("utf-8"))
    PAGE.write_text(text, "utf-8")
