"""What layers are lowered to where Flax lacks it or does otherwise, and what a network does with what it is given."""
