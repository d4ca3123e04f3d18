"""ONNX files, read as data: their messages, tensors and operators."""
