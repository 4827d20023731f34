"""The types of arrays, named once; shapes are in the docstrings of what takes and returns them."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float32]
HalfArray: TypeAlias = npt.NDArray[np.float16]
StoredArray: TypeAlias = FloatArray | HalfArray  # of features as they lie on disk
DoubleArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.integer[Any]]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
Pixels: TypeAlias = npt.NDArray[np.uint8]
