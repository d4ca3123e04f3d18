"""Graphs as specs that a person would have written: what repeats becomes blocks with arguments, and loops."""
