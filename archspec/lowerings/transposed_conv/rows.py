"""The kernel's gradient of the convolution that is undone as products for each row of the kernel."""

from __future__ import annotations

from archspec.lowerings.conv import rows
from archspec.lowerings.transposed_conv._undone import Undone

_candidate = Undone(rows)
fits, kernel_gradient = _candidate.fits, _candidate.kernel_gradient
