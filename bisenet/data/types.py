"""Names for the arrays of training data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # (H, W, 3) RGB
Mask = NDArray[np.uint8]  # (H, W) classes, or values of bisenet.data.partial_labels
Pair = tuple[Image, Mask]
