"""Completion of command lines in bash, zsh and fish.

A shell's script (`scripts.py`, which `installing.py` puts where the shell looks) calls `archspec --complete` with the
words so far. `words.py` takes bash's line apart, `candidates.py` finds by the command's own parser what may come next,
and `values.py` has the values: networks, variants, kinds, run folders, files. Nothing here imports pydantic or JAX.
"""
