"""What may be put where a cursor is: entries, fields, values, names, files, and words of expressions."""
