"""Names in XMP: namespaces and properties, and the spelling of keywords with levels in each."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mmcgan.inference.words.vocabulary import normalize_tag

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DC = "http://purl.org/dc/elements/1.1/"
LIGHTROOM = "http://ns.adobe.com/lightroom/1.0/"
DIGIKAM = "http://www.digikam.org/ns/1.0/"
OWN = "urn:mmcgan:xmp/1.0/"  # ends in a slash because Exiv2 adds one where there is none

# As `mmcgan.metadata.elements` spells them.
ABOUT = f"{RDF} about"
DESCRIPTION = f"{RDF} Description"
LI = f"{RDF} li"
VALUE = f"{RDF} value"
SUBJECT = f"{DC} subject"
AUTOMATIC = f"{OWN} automatic"

# Lists of keywords, with the separator of a hierarchy's levels in each. A slash in dc:subject is
# part of a word: "b/w".
KEYWORD_LISTS = {
    SUBJECT: "|",
    f"{LIGHTROOM} hierarchicalSubject": "|",
    f"{DIGIKAM} TagsList": "/",
}

_NOT_IN_XML = re.compile("[^ -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def keyword_path(text: str, separator: str = "|") -> str:
    """Return the keyword `text` with | between its levels in place of `separator`."""
    return "|".join(level for level in map(str.strip, text.split(separator)) if level)


def tag_texts(path: str) -> list[str]:
    """Return the texts of a keyword's tags: its last level, and the path if it has several levels.

    A path is one tag, so that the Orange among the fruits and the one among the towns are two.
    """
    last = path.rpartition("|")[2]
    return [last] if last == path else [last, path]


def tag_words(paths: Iterable[str]) -> frozenset[str]:
    """Return the normalised tags of keywords."""
    words = (normalize_tag(text) for path in paths for text in tag_texts(path))
    return frozenset(word for word in words if word)


def xml_safe(text: str) -> str:
    """Return `text` without control characters and others that XML cannot hold."""
    return _NOT_IN_XML.sub("", text)
