"""A run as one HTML page that loads nothing: curves, figures, mistakes as pictures, settings, the network."""
