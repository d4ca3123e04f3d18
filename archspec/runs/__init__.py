"""The folder of a run: its layout, its owner, its checkpoints, and reading back what it or an import holds."""
