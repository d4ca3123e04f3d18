"""What differs between two specs, git revisions or runs: layers with their cost, settings, versions, figures.

Without JAX, unless predictions are compared.
"""

from archspec.comparing.comparison import Comparison, diff

__all__ = ["Comparison", "diff"]
