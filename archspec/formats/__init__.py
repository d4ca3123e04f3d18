"""How bytes lie in files of other tools: read within bounds, and nothing of them runs."""
