"""Plan how our tags are written into the XMP of the photo itself.

The pixels and all other metadata stay as they are, byte for byte, and the packet is edited like
that of a sidecar. Just before the new file takes the photo's place, a copy of the photo without our
marks is kept in the user's data folder; it is removed when the photo is as it was again.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_path

from mmcgan.errors import MetadataError
from mmcgan.files import atomic_path, is_file
from mmcgan.inference.photos.formats.segments import PNG_START
from mmcgan.metadata.change import Change
from mmcgan.metadata.containers import find_slot, require_room, slots_of, with_packet
from mmcgan.metadata.keywords import read_keywords
from mmcgan.metadata.sidecar import Listings, file_status, find_sidecars
from mmcgan.metadata.xmp.marking import Marks, mark, unmark
from mmcgan.metadata.xmp.packet import Packet
from mmcgan.metadata.xmp.record import Record

MAX_PHOTO_BYTES = 2**30  # a photo is held in memory while it is written anew


def copies_folder() -> Path:
    """Return the folder of all safety copies."""
    return user_data_path("mmcgan", appauthor=False) / "originals"


def safety_copy(original: bytes) -> Path:
    """Return the path of the safety copy of a photo whose bytes without marks are `original`.

    The hash of its bytes names a copy, so that it is found however its photo is named, and where.
    """
    suffix = ".png" if original.startswith(PNG_START) else ".jpg"
    return copies_folder() / (hashlib.sha256(original).hexdigest() + suffix)


@dataclass(frozen=True)
class PhotoChange(Change):
    """A change within a photo; `original` is the photo without our marks."""

    original: bytes

    def packets(self) -> tuple[bytes | None, bytes | None]:
        """Return the XMP within the photo before and after."""
        before, after = (
            [slot.packet for slot in slots_of(data or b"") if slot.packet is not None]
            for data in (self.before, self.after)
        )
        return b"\n".join(before) if before else None, b"\n".join(after) if after else None

    def advice(self) -> str:
        """Return what to do about a photo with several names."""
        if self.after == self.original:
            return super().advice()
        return "use --write sidecar for it"

    def apply(self) -> None:
        """Make the change, wholly or not at all, after a copy of the original is kept."""
        if not self.is_needed:
            return
        copy = safety_copy(self.original)
        was_kept = is_file(copy)
        try:
            super().apply()
        except BaseException:
            if not was_kept and not self._is_made():
                with suppress(OSError):  # the first error says what happened
                    copy.unlink(missing_ok=True)
            raise
        if self.after == self.original:
            _remove(copy, self.path)

    def _is_made(self) -> bool:
        try:
            return self.path.read_bytes() == self.after
        except OSError:
            return False

    def _before_it_counts(self) -> None:
        """Keep a copy of the original, unless there is one; raise `MetadataError` if that fails."""
        copy = safety_copy(self.original)
        if self.after == self.original or is_file(copy):
            return
        try:
            copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # photos may be private
            with atomic_path(copy) as partial:
                partial.write_bytes(self.original)
        except OSError as reason:
            raise MetadataError(
                f"no safety copy can be kept in {copy}: {reason.strerror}"
            ) from None


def _remove(copy: Path, photo: Path) -> None:
    try:
        copy.unlink(missing_ok=True)
    except OSError as reason:
        raise MetadataError(
            f"{photo} is as it was, but its safety copy {copy} cannot be removed: {reason.strerror}"
        ) from None


def model_of_embedded(photo: Path) -> str | None:
    """Return the model that wrote the marks within `photo`; None where there are none.

    Raises `MetadataError` if the photo is neither JPEG nor PNG, is broken, or has broken XMP.
    """
    packet = find_slot(_read(photo), str(photo)).packet
    record = None if packet is None else Record.of(Packet.parse(packet, packet_name(photo)))
    return None if record is None else record.model


def plan_embedded(photo: Path, marks: Marks, listings: Listings | None = None) -> Change:
    """Return the change that writes `marks` into `photo`.

    Raises `MetadataError` if the photo is neither JPEG nor PNG, is broken or has several names, its
    XMP cannot be read, other bytes of it point at what would move, or the marks could not be taken
    out again without a trace.
    """
    data, name = _read(photo), packet_name(photo)
    original = _without_marks(data, photo)
    elsewhere = read_keywords(photo, find_sidecars(photo, listings)).keywords
    packet = mark(find_slot(data, str(photo)).packet, marks, elsewhere, name)
    change = PhotoChange(photo, data, with_packet(data, packet, str(photo)), original)
    require_room(data, change.after or b"", str(photo))
    change.require_one_name()
    if _without_marks(change.after or b"", photo) != original:
        raise MetadataError(
            f"tags could not be taken out of {photo} again without a trace; it is left as it is"
        )
    return change


def packet_name(photo: Path) -> str:
    """Return what errors call the packet of a photo."""
    return f"{photo} (XMP)"


def _read(photo: Path) -> bytes:
    try:
        status = file_status(photo)  # a pipe might never end
        if status is None:
            raise MetadataError(f"{photo} cannot be read: there is no such file")
        if status.st_size > MAX_PHOTO_BYTES:
            raise MetadataError(
                f"{photo} is larger than {MAX_PHOTO_BYTES / 2**30:g} GiB, the most that is written "
                "anew; use --write sidecar for it"
            )
        return photo.read_bytes()
    except OSError as reason:
        raise MetadataError(f"{photo} cannot be read: {reason.strerror}") from None


def _without_marks(data: bytes, photo: Path) -> bytes:
    packet = find_slot(data, str(photo)).packet
    if packet is None:
        return data
    return with_packet(data, unmark(packet, packet_name(photo)), str(photo))
