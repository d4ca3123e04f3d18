"""The reference, made of the classes themselves: pages of docs/, and what `archspec explain E301` prints.

`python -m archspec.manual` writes docs/reference/, `python -m archspec.codes` docs/diagnostics.md.
"""
