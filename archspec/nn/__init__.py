"""Flax modules that Flax itself lacks."""
