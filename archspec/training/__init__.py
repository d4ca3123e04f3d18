"""Training: feeding, steps and evaluation as pure functions of arrays, and the loop around them."""
