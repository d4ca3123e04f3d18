"""Candidates for the sum of each window. Padding counts as 0."""
