"""The commands, one file each: `options` sets up what a command takes, `run` does it and returns the exit status."""
