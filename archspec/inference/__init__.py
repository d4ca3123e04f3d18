"""What a trained or imported network is good for: predictions and evaluation, from its folder."""
