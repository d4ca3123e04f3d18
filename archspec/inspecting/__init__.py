"""Looking inside a network that has its weights: where answers come from, and what units see."""
