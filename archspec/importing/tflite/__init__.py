"""TFLite files, read as data: their tables, tensors and operators."""
