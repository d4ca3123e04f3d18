"""Graphs as specs that a person would have written: what repeats becomes blocks with arguments, and loops."""

from archspec.rolling.writing import Rolled, rolled

__all__ = ["Rolled", "rolled"]
