"""Every diagnostic's code, declared once: what it means, why it is one, and what mends it.

A file has the codes of one family. The page is made of them, `python -m archspec.codes`, and so is what `archspec
explain E301` says and shells complete; nothing else imports them.
"""

from __future__ import annotations

from archspec.codes import files, hosts, imported, language, outside, shapes, training, warnings, written
from archspec.codes._code import Code, complete

__all__ = ["CODES", "Code", "complete"]

_FAMILIES = (files, language, shapes, training, written, imported, hosts, outside, warnings)

CODES = {code.code: code for family in _FAMILIES for code in family.CODES}
"""Every code, in the order of the page."""
