"""Safety copies, in the user's data folder, of photos that tags were written into.

The hash of its bytes names a copy, so that it is found again wherever its photo was moved.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from platformdirs import user_data_path

from mmcgan.errors import MetadataError
from mmcgan.files import atomic_path


def copies_folder() -> Path:
    """Return the folder of all copies."""
    return user_data_path("mmcgan", appauthor=False) / "originals"


def copy_path(data: bytes, suffix: str) -> Path:
    """Return the path of the copy of a photo with these bytes."""
    return copies_folder() / (hashlib.sha256(data).hexdigest() + suffix)


def keep_copy(data: bytes, suffix: str) -> Path:
    """Keep a copy of a photo, unless there is one; raise `MetadataError` if that fails."""
    path = copy_path(data, suffix)
    try:
        if not path.is_file():
            with atomic_path(path) as partial:
                partial.write_bytes(data)
    except OSError as reason:
        raise MetadataError(f"no safety copy can be kept in {path}: {reason.strerror}") from None
    return path


def drop_copy(data: bytes, suffix: str) -> None:
    """Remove the copy of a photo that is as it was again."""
    copy_path(data, suffix).unlink(missing_ok=True)
