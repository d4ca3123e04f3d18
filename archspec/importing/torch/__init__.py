"""Programs of `torch.export`, read as data without PyTorch: the archive's JSON, and its tensors' bytes."""
