"""What a file has beside its bytes, carried over to the file that takes its place.

These are its rights, owner and group, its extended attributes (tags and comments of file managers,
access lists) and flags. The time of change is not among them: backups and catalogs notice by it
that a file is another than they know.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

# What people or their programs say about a file; the rest says how the system treats it.
_PERSONAL = ("user.", "com.apple.metadata:", "com.apple.FinderInfo", "com.apple.ResourceFork")


def carry_over(old: Path, new: Path) -> None:
    """Give `new` the attributes of `old`, as far as the system lets us.

    Raises `OSError` if an attribute that is a person's would be lost.
    """
    status = old.stat()
    _keep_owner(status, new)
    _keep_extended(old, new)
    with suppress(OSError):  # a disk without rights
        new.chmod(stat.S_IMODE(status.st_mode))
    if hasattr(os, "chflags"):
        # A lock is not among them: it keeps a file from being replaced at all.
        kept = status.st_flags & (stat.UF_HIDDEN | stat.UF_NODUMP)  # type: ignore[attr-defined]
        with suppress(OSError):
            os.chflags(new, kept)


def _keep_owner(status: os.stat_result, new: Path) -> None:
    made = new.stat()
    if not hasattr(os, "chown") or (made.st_uid, made.st_gid) == (status.st_uid, status.st_gid):
        return
    with suppress(OSError):  # may be allowed where giving a file away is not
        os.chown(new, -1, status.st_gid)
    with suppress(OSError):
        os.chown(new, status.st_uid, -1)


def _keep_extended(old: Path, new: Path) -> None:
    names, inherited = _names(old), _names(new)
    for name in names:
        try:
            _system().setxattr(new, name, _system().getxattr(old, name))
        except OSError as reason:
            if name.startswith(_PERSONAL):
                raise OSError(
                    reason.errno, f"its attribute {name} would be lost ({reason.strerror})"
                ) from None
    for name in set(inherited) - set(names):  # a folder's default access list
        with suppress(OSError):
            _system().removexattr(new, name)


def _names(path: Path) -> list[str]:
    """Return the names of the extended attributes; none where the disk has no such thing."""
    if _system() is None:
        return []
    try:
        return list(_system().listxattr(path))
    except OSError as reason:
        if reason.errno in (errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
            return []
        raise


def _system() -> Any:
    """Return the module with the functions of extended attributes: os, on macOS xattr, or None."""
    if hasattr(os, "listxattr"):
        return os
    try:
        return import_module("xattr")
    except ImportError:  # Windows
        return None
