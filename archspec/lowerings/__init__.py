"""Equivalent ways to compute one operation, and the choice among them for a device: see `case`, `choosing`, `rules`."""
