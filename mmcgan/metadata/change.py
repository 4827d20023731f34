"""A change of one file, which can be shown before it is made."""

from __future__ import annotations

import difflib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from mmcgan.errors import MetadataError, escaped
from mmcgan.files import atomic_path
from mmcgan.metadata.packet import decoded


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

    def apply(self) -> None:
        """Make the change, wholly or not at all.

        Raises `MetadataError` if the file is no longer as it was, or cannot be written.
        """
        if not self.is_needed:
            return
        path = Path(os.path.realpath(self.path))  # a link stays a link
        try:
            if (path.read_bytes() if path.exists() else None) != self.before:
                raise MetadataError(
                    f"{self.path} was changed by another program just now; it is left as it is"
                )
            self._replace(path)
        except OSError as reason:
            raise MetadataError(f"{self.path} cannot be written: {reason.strerror}") from None

    def _replace(self, path: Path) -> None:
        if self.after is None:
            path.unlink()
            return
        with atomic_path(path) as partial:
            partial.write_bytes(self.after)
            if self.before is not None:
                shutil.copymode(path, partial)


def _shown(line: str) -> str:
    """Return a line of a diff as one line, whatever the file is called; tabs are the packet's."""
    return "\t".join(map(escaped, line.split("\t")))
