"""The convolution that is undone, by the library.

JAX's gradients of a plain convolution with the kernel's phases go over all phases at once; a convolution of the
output's gradient goes to the library as any other does.
"""

from __future__ import annotations

from archspec.lowerings.conv import library
from archspec.lowerings.transposed_conv._undone import Undone

_candidate = Undone(library)
fits, forward = _candidate.fits, _candidate.forward
input_gradient, kernel_gradient = _candidate.input_gradient, _candidate.kernel_gradient
