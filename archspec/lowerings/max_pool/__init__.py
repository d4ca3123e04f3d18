"""Candidates for the maximum of each window. Padding counts as −∞."""
