"""Reading every sample of a dataset once, and what that shows; it knows of no network and no training."""
