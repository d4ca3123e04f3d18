"""The zoo as a whole: its networks with their figures, counted or as the index has them; the index itself; the page and
the picture that are made of it."""
