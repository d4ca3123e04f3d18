"""Networks in other tools' formats: files of models, and source code."""
