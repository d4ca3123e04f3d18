"""The equations of a network with the numbers of its own layers put in."""
