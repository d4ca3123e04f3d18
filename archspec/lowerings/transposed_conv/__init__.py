"""Candidates for transposed convolutions of maps (B, H, W, C) with kernels (F, F, C, filters/groups), or of signals."""
