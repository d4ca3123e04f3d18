"""The interactive report: one HTML file with the figures, the drawing and the spec's text, which loads nothing."""
