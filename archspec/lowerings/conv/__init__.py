"""Candidates for a convolution of maps (B, H, W, C) with a kernel (F, F, C/groups, filters), or of signals."""
