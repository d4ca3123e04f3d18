"""Image files, how an image becomes a network's input, masks and their colours; knows of no dataset and no training."""
