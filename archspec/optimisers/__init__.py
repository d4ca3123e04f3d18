"""Optimisers, one kind a file."""
