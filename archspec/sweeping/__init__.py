"""Sweeps: many runs of one spec, whose settings are tried; their state is their run folders."""
