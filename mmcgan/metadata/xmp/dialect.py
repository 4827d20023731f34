"""The way in which a packet spells names: what we add is spelled alike.

Adobe's toolkit, and Exiv2 with it, reads nothing at all of a packet that binds a namespace to two
prefixes, or that is about two things.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from mmcgan.metadata.xmp.elements import Element
from mmcgan.metadata.xmp.names import DC, IDENTITY, PREFIXES, RDF, standard
from mmcgan.metadata.xmp.packet import Packet


@dataclass(frozen=True)
class Dialect:
    """The prefixes for RDF, Dublin Core and our own names, each with its colon.

    `identity` are the attributes of a description that say what it is about, `declarations` those
    that declare the prefixes where they are not declared yet.
    """

    rdf: str
    dc: str
    own: str
    identity: str
    declarations: dict[str, str]

    @classmethod
    def of(cls, packet: Packet) -> Dialect:
        """Return the dialect of a packet."""
        bound = [*packet.rdf.scope.items(), *_bindings(packet.rdf)]
        found = {name: _prefix(bound, name) for name in ("rdf", "dc", "mmcgan")}
        declarations = {
            name: f" {f'xmlns:{prefix}'.rstrip(':')}={quoteattr(namespace)}"
            if packet.rdf.scope.get(prefix) != namespace
            else ""
            for name, (prefix, namespace) in found.items()
        }
        rdf, dc, own = (f"{prefix}:".lstrip(":") for prefix, _ in found.values())
        return cls(rdf, dc, own, _identity(packet, rdf), declarations)


def _bindings(element: Element) -> Iterator[tuple[str, str]]:
    """Yield all pairs of prefix and namespace that an element and those in it declare."""
    yield from element.declared.items()
    for child in element.children:
        yield from _bindings(child)


def _prefix(bound: list[tuple[str, str]], usual: str) -> tuple[str, str]:
    """Return the packet's prefix for the namespace of the prefix `usual`, and the namespace."""
    wanted = PREFIXES[usual]
    for prefix, namespace in bound:
        # Attributes need a prefix, and of these names only Dublin Core's are never attributes.
        if standard(namespace) == wanted and (prefix or wanted == DC):
            return prefix, namespace
    taken = {prefix for prefix, _ in bound}
    names = (usual, *(f"{usual}{number}" for number in range(2, len(taken) + 3)))
    return next(name for name in names if name not in taken), wanted


def _identity(packet: Packet, rdf: str) -> str:
    """Return the attributes that say what a description is about, as the first one spells them."""
    if not packet.descriptions:
        return f' {rdf}about=""'
    attributes = packet.descriptions[0].attributes
    names = {name: name.replace(f"{RDF} ", rdf) for name in IDENTITY if name in attributes}
    return "".join(f" {spelled}={quoteattr(attributes[name])}" for name, spelled in names.items())
