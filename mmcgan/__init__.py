"""mmcgan: a photo tagger that learns from what people wrote on their own photos.

>>> import mmcgan
>>> mmcgan.tag("photo.jpg")
[Tag(word='sunset', score=0.041), Tag(word='sea', score=0.036), …]

Importing this package loads neither torch nor faiss; the first call loads what it needs.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmcgan.errors import (
    DataError,
    DependencyError,
    MetadataError,
    MmcganError,
    OptionError,
    PhotoError,
    RunError,
    TrainingError,
)

if TYPE_CHECKING:
    from mmcgan.inference.tagger import Tag, Tagger

__version__ = "0.1.0"
__all__ = [
    "DataError",
    "DependencyError",
    "MetadataError",
    "MmcganError",
    "OptionError",
    "PhotoError",
    "RunError",
    "Tag",
    "Tagger",
    "TrainingError",
    "load",
    "tag",
]


def tag(image_path: str | Path, k: int = 10, run: str | Path | None = None) -> list[Tag]:
    """Return the min(k, V) best `Tag(word, score)` of a photo, best first.

    `run` is a finished run folder, by default the newest one under ./runs, or else the model that
    ships with mmcgan; it stays loaded for the next call. Raises `PhotoError`, `RunError` or
    `OptionError`.
    """
    return load(run).tag(image_path, k)


def load(run: str | Path | None = None) -> Tagger:
    """Return the `Tagger` of a finished run folder, by default the same as of `tag`."""
    from mmcgan.inference.model_dir import ModelDir, named_model

    path = named_model(run).resolve()
    weights = ModelDir(path).weights_path
    return _load(path, weights.stat().st_mtime_ns if weights.is_file() else 0)


@lru_cache(maxsize=2)
def _load(run: Path, changed_at: int) -> Tagger:
    """Load a run once for as long as its weights do not change."""
    from mmcgan.inference.tagger import Tagger

    return Tagger.load(run)


def __getattr__(name: str) -> Any:
    """Load `Tag` and `Tagger` when they are first asked for."""
    if name in ("Tag", "Tagger"):
        return getattr(importlib.import_module("mmcgan.inference.tagger"), name)
    raise AttributeError(f"module 'mmcgan' has no attribute {name!r}")
