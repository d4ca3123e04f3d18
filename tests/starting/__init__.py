"""`archspec new`."""
