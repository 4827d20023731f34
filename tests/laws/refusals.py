"""The reasons for which a write may be refused, told apart by the words of the messages."""

from __future__ import annotations

import re

REFUSALS = {
    "format": r"tags are written into",
    "plain subject": r"dc:subject\) as a text|as a text, not as a list",
    "empty RDF": r"is empty \(<rdf:RDF",
    "document type": r"document type declaration",
    "broken XMP": r"not well-formed|no rdf:RDF|not in the encoding|no XMP",
    "too large": r"larger than|bytes; XMP is read up to|more than .* elements",
    "two packets": r"XMP in more than one place",
    "compressed": r"is compressed or broken",
    "broken photo": r"is broken|cut short|cannot be told apart",
    "points behind": r"cannot change its size",
    "hard link": r"several names|hard link",
    "name too long": r"so long a name",
    "no ending": r"give the photo's name an ending",
    "in the way": r"[Ii]s a directory|cannot be read|is a folder|cannot be written",
    "traceless": r"without a trace",
}


def kind_of(message: str) -> str:
    """The kind of a refusal, or its message where it is of none."""
    found = [kind for kind, words in REFUSALS.items() if re.search(words, message)]
    return found[0] if found else f"unknown reason: {message}"
