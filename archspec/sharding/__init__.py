"""How a network is divided over devices: plain data from graph and mesh, which training runs and `plan` counts."""
