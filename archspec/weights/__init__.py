"""Weights of the wider world, in and out."""
