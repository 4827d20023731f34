"""Plan how our tags are written into the XMP of the photo itself, and how they are taken out.

The pixels and all other metadata stay as they are, byte for byte, and the packet is edited like
that of a sidecar. Before a photo is written into, a copy of it without our marks is kept in the
user's data folder ; it is removed when the photo is as it was again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_path

from mmcgan.errors import MetadataError
from mmcgan.files import atomic_path, read_file
from mmcgan.inference.photos.images import MAX_IMAGE_BYTES
from mmcgan.metadata.change import Change
from mmcgan.metadata.containers import find_slot, is_writable, with_packet
from mmcgan.metadata.keywords import read_keywords
from mmcgan.metadata.marking import Marks, mark, unmark
from mmcgan.metadata.packet import Packet
from mmcgan.metadata.record import Record
from mmcgan.metadata.sidecar import find_sidecars, plan_sidecar_removal


def copies_folder() -> Path:
    """Return the folder of all safety copies."""
    return user_data_path("mmcgan", appauthor=False) / "originals"


@dataclass(frozen=True)
class PhotoChange(Change):
    """A change within a photo; `original` is the photo without our marks."""

    original: bytes

    def packets(self) -> tuple[bytes | None, bytes | None]:
        """Return the XMP within the photo before and after."""
        before, after = (
            find_slot(data or b"", str(self.path)) for data in (self.before, self.after)
        )
        return before.packet, after.packet

    def apply(self) -> None:
        """Make the change, wholly or not at all, after a copy of the original is kept."""
        if not self.is_needed:
            return
        # The hash of its bytes names a copy, so that it is found wherever its photo was moved.
        name = hashlib.sha256(self.original).hexdigest() + self.path.suffix.lower()
        copy = copies_folder() / name
        self._keep(copy)
        super().apply()
        if self.after == self.original:
            copy.unlink(missing_ok=True)

    def _keep(self, copy: Path) -> None:
        """Keep a copy of the original, unless there is one; raise `MetadataError` if that fails."""
        try:
            if not copy.is_file():
                with atomic_path(copy) as partial:
                    partial.write_bytes(self.original)
        except OSError as reason:
            raise MetadataError(
                f"no safety copy can be kept in {copy}: {reason.strerror}"
            ) from None


def model_of_embedded(photo: Path) -> str | None:
    """Return the model that wrote the marks within `photo`; None where there are none.

    Raises `MetadataError` if the photo is neither JPEG nor PNG, is broken, or has broken XMP.
    """
    packet = find_slot(_read(photo), str(photo)).packet
    record = None if packet is None else Record.of(Packet.parse(packet, _packet_name(photo)))
    return None if record is None else record.model


def plan_embedded(photo: Path, marks: Marks) -> Change:
    """Return the change that writes `marks` into `photo`.

    Raises `MetadataError` if the photo is neither JPEG nor PNG, is broken, its XMP cannot be read,
    or the marks could not be taken out again without a trace.
    """
    data, name = _read(photo), _packet_name(photo)
    original = _without_marks(data, photo)
    elsewhere = read_keywords(photo, find_sidecars(photo)).keywords
    packet = mark(find_slot(data, str(photo)).packet, marks, elsewhere, name)
    after = with_packet(data, packet, str(photo))
    if _without_marks(after, photo) != original:
        raise MetadataError(
            f"tags could not be taken out of {photo} again without a trace; it is left as it is"
        )
    return PhotoChange(photo, data, after, original)


def plan_removal(photo: Path) -> list[Change]:
    """Return the changes that take our marks out of `photo` and its sidecars.

    Raises `MetadataError` if the photo or a sidecar cannot be read.
    """
    changes = plan_sidecar_removal(photo)
    if photo.is_file() and is_writable(photo):
        data = _read(photo)
        original = _without_marks(data, photo)
        changes += [PhotoChange(photo, data, original, original)] if data != original else []
    return changes


def _read(photo: Path) -> bytes:
    return read_file(photo, MAX_IMAGE_BYTES, MetadataError)


def _packet_name(photo: Path) -> str:
    return f"{photo} (XMP)"


def _without_marks(data: bytes, photo: Path) -> bytes:
    packet = find_slot(data, str(photo)).packet
    if packet is None:
        return data
    return with_packet(data, unmark(packet, _packet_name(photo)), str(photo))
