"""The way in which a packet spells names: what we add is spelled alike.

Adobe's toolkit, and Exiv2 with it, reads nothing at all of a packet that binds a namespace to two
prefixes, or that is about two things.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from mmcgan.metadata.elements import Element
from mmcgan.metadata.names import DC, IDENTITY, PREFIXES, RDF, standard
from mmcgan.metadata.packet import Packet


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
        scopes = list({id(scope): scope for scope in _scopes(packet.rdf)}.values())
        found = {name: _prefix(scopes, name) for name in ("rdf", "dc", "mmcgan")}
        declarations = {
            name: f" {f'xmlns:{prefix}'.rstrip(':')}={quoteattr(namespace)}"
            if packet.rdf.scope.get(prefix) != namespace
            else ""
            for name, (prefix, namespace) in found.items()
        }
        rdf, dc, own = (f"{prefix}:".lstrip(":") for prefix, _ in found.values())
        return cls(rdf, dc, own, _identity(packet, rdf), declarations)


def _scopes(element: Element) -> Iterator[dict[str, str]]:
    """Yield the namespaces, by prefix, of an element and of all elements in it."""
    yield element.scope
    for child in element.children:
        yield from _scopes(child)


def _prefix(scopes: list[dict[str, str]], usual: str) -> tuple[str, str]:
    """Return the packet's prefix for the namespace of the prefix `usual`, and the namespace."""
    wanted = PREFIXES[usual]
    for scope in scopes:
        for prefix, namespace in scope.items():
            # Attributes need a prefix, and of these names only Dublin Core's are never attributes.
            if standard(namespace) == wanted and (prefix or wanted == DC):
                return prefix, namespace
    taken = frozenset(prefix for scope in scopes for prefix in scope)
    names = (usual, *(f"{usual}{number}" for number in range(2, len(taken) + 3)))
    return next(name for name in names if name not in taken), wanted


def _identity(packet: Packet, rdf: str) -> str:
    """Return the attributes that say what a description is about, as the first one spells them."""
    if not packet.descriptions:
        return f' {rdf}about=""'
    attributes = packet.descriptions[0].attributes
    names = {name: name.replace(f"{RDF} ", rdf) for name in IDENTITY if name in attributes}
    return "".join(f" {spelled}={quoteattr(attributes[name])}" for name, spelled in names.items())
