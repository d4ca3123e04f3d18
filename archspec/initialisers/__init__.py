"""Initialisers of weights, one kind a file."""
