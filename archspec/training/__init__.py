"""Training, evaluation and prediction: pure pytrees in, pure pytrees out."""
