"""Learning-rate schedules, one kind a file."""
