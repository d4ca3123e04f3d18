"""Timing the candidates on this device for a network's own shapes, and saying what is used where and why."""
