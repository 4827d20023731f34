"""A change of one file, which can be shown before it is made."""

from __future__ import annotations

import difflib
import errno
import os
from dataclasses import dataclass
from pathlib import Path

from mmcgan.errors import MetadataError, escaped
from mmcgan.files import replacing
from mmcgan.metadata.attributes import carry_over
from mmcgan.metadata.xmp.packet import decoded


@dataclass(frozen=True)
class Change:
    """The bytes of a file before and after the change; None where there is no file."""

    path: Path
    before: bytes | None
    after: bytes | None

    @property
    def is_needed(self) -> bool:
        """Whether anything changes at all."""
        return self.before != self.after

    def packets(self) -> tuple[bytes | None, bytes | None]:
        """Return the XMP before and after the change; a sidecar holds nothing else."""
        return self.before, self.after

    def diff(self) -> str:
        """Return the change as a unified diff of the XMP; empty if nothing changes."""
        before, after = self.packets()
        lines = difflib.unified_diff(
            decoded(before or b"").splitlines(),
            decoded(after or b"").splitlines(),
            os.devnull if before is None else str(self.path),
            os.devnull if after is None else str(self.path),
            lineterm="",
        )
        return "".join(f"{_shown(line)}\n" for line in lines)

    def require_one_name(self) -> None:
        """Raise `MetadataError` if the file has several names that the change would part.

        A name may be taken away: its file stays under the others.
        """
        if self.before == self.after or None in (self.before, self.after):
            return
        n_names = self._status().st_nlink
        if n_names > 1:
            raise MetadataError(
                f"{self.path} is one of {n_names} names (hard links) of the same file, and a "
                f"change would part it from the others; {self.advice()}"
            )

    def advice(self) -> str:
        """Return what to do about a file with several names."""
        return "make it a file of its own, by a copy, and call again"

    def apply(self) -> None:
        """Make the change, wholly or not at all.

        Raises `MetadataError` if the file is no longer as it was, has several names, or cannot be
        written.
        """
        if self.before == self.after:
            return
        path = Path(os.path.realpath(self.path))  # a link stays a link
        try:
            if _bytes_in(path) != self.before:
                raise MetadataError(
                    f"{self.path} was changed by another program just now; it is left as it is"
                )
            self.require_one_name()
            self._replace(path)
        except OSError as reason:
            said = reason.strerror or reason
            raise MetadataError(f"{self.path} cannot be written: {said}") from None

    def _status(self) -> os.stat_result:
        try:
            return self.path.stat()
        except OSError as reason:
            raise MetadataError(f"{self.path} cannot be read: {reason.strerror}") from None

    def _replace(self, path: Path) -> None:
        if self.after is None:
            path.unlink()
            return
        if self.before is not None and not os.access(path, os.W_OK):
            # A folder may allow what its file does not.
            raise PermissionError(errno.EACCES, "it is protected against changes (read-only)")
        with replacing(path) as partial:
            partial.write_bytes(self.after)
            if self.before is not None:
                carry_over(path, partial)
            self._before_it_counts()

    def _before_it_counts(self) -> None:
        """Do what has to be done when the new file is whole, and not yet in place."""


@dataclass(frozen=True)
class Leftover(Change):
    """A file that a killed call of ours left behind, to be removed; its bytes do not matter."""

    before: None = None
    after: None = None

    @property
    def is_needed(self) -> bool:
        """Whether anything changes at all."""
        return True

    def diff(self) -> str:
        """Return the head of a diff: what the file holds is no news to anybody."""
        return f"--- {self.path}\n+++ {os.devnull}\n"

    def apply(self) -> None:
        """Remove the file; raise `MetadataError` if that fails."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as reason:
            raise MetadataError(f"{self.path} cannot be removed: {reason.strerror}") from None


def _bytes_in(path: Path) -> bytes | None:
    """Return the bytes of a file, None if there is none; raise `OSError` if that is not known."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _shown(line: str) -> str:
    """Return a line of a diff as one line, whatever the file is called; tabs are the packet's."""
    return "\t".join(map(escaped, line.split("\t")))
