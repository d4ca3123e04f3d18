"""What `archspec bench` does: whole programs and layers on made-up data, timed in blocks that take turns."""
