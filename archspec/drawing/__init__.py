"""Drawings of a graph: a look makes a scene of shapes and text, which is written as SVG, PNG or PDF."""


class DrawingError(ValueError):
    """A graph cannot be drawn as asked; the words say why and what to do."""
