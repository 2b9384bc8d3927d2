"""The kinds of arrays, by what they hold."""

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
Int64Array = npt.NDArray[np.int64]
Picture = npt.NDArray[np.uint8]  # [H, W, 3]
