"""Networks as source code: a tree of classes that knows no framework, and a writer for each framework."""
