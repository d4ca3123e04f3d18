"""`archspec explain`: what a trained network makes of images, as data and as pictures."""
