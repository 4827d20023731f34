"""The containers of photos: where metadata is in them, and how a packet is put in place.

`reading` finds the blocks in any container, `slots` changes the packet of a JPEG or PNG, and
`room` says where that would break what other bytes of the photo point at.
"""

from mmcgan.metadata.containers.reading import packets_in
from mmcgan.metadata.containers.room import require_room
from mmcgan.metadata.containers.slots import (
    WRITABLE,
    Slot,
    find_slot,
    is_writable,
    slots_of,
    with_packet,
    with_slot,
)

__all__ = [
    "WRITABLE",
    "Slot",
    "find_slot",
    "is_writable",
    "packets_in",
    "require_room",
    "slots_of",
    "with_packet",
    "with_slot",
]
