"""What an editor asks about a spec, as plain data: nothing here knows of a protocol, and nothing imports JAX.

Places are `Span`s and `Position`s: lines and columns from 1, counted in characters.
"""
