"""`python -m archspec.manual` writes docs/reference/."""

from __future__ import annotations

from archspec.manual.pages import PAGES, folder

if __name__ == "__main__":
    folder().mkdir(exist_ok=True)
    for name, made in PAGES.items():
        (folder() / name).write_text(made(), "utf-8")
