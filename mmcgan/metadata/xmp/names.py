"""The names of XMP that matter for keywords: namespaces, properties, and lists of keywords.

A name is spelled "namespace local", as `mmcgan.metadata.xmp.elements` gives it.

https://developer.adobe.com/xmp/docs/xmp-specifications/ (part 1: the RDF; part 2: properties).
"""

from __future__ import annotations

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DC = "http://purl.org/dc/elements/1.1/"
LIGHTROOM = "http://ns.adobe.com/lightroom/1.0/"
DIGIKAM = "http://www.digikam.org/ns/1.0/"
MICROSOFT = "http://ns.microsoft.com/photo/1.0/"
MEDIA_PRO = "http://ns.iview-multimedia.com/mediapro/1.0/"
EXPRESSION_MEDIA = "http://ns.microsoft.com/expressionmedia/1.0/"
ACDSEE = "http://ns.acdsee.com/iptc/1.0/"
MWG_KEYWORDS = "http://www.metadataworkinggroup.com/schemas/keywords/"
OWN = "urn:mmcgan:xmp/1.0/"  # ends in a slash because Exiv2 adds one where there is none

# Namespaces under the prefixes that everybody gives them. Packets that use one of these without a
# declaration are broken, but exiftool reads them.
PREFIXES = {
    "x": "adobe:ns:meta/",
    "rdf": RDF,
    "dc": DC,
    "lr": LIGHTROOM,
    "digiKam": DIGIKAM,
    "MicrosoftPhoto": MICROSOFT,
    "mediapro": MEDIA_PRO,
    "expressionmedia": EXPRESSION_MEDIA,
    "acdsee": ACDSEE,
    "mwg-kw": MWG_KEYWORDS,
    "mmcgan": OWN,
}

# Other spellings of a namespace: Windows writes its own without the slash at the end, and XMP of
# the first years has an older Dublin Core.
_SPELLINGS = {uri.rstrip("/"): uri for uri in PREFIXES.values()} | {"http://purl.org/dc/1.1/": DC}

ABOUT = f"{RDF} about"
DESCRIPTION = f"{RDF} Description"
LI = f"{RDF} li"
VALUE = f"{RDF} value"
SUBJECT = f"{DC} subject"
HIERARCHY = f"{LIGHTROOM} hierarchicalSubject"
AUTOMATIC = f"{OWN} automatic"
CATEGORIES = f"{ACDSEE} categories"
STRUCTURE = f"{MWG_KEYWORDS} Keywords"

# What a description is about, of which a packet has one spelling. The forms without a namespace are
# those of the first RDF.
IDENTITY = tuple(
    f"{space}{local}" for space in (f"{RDF} ", "") for local in ("about", "ID", "nodeID")
)

# Lists of keywords, with the separator of a hierarchy's levels in each. A slash in dc:subject is
# part of a word: "b/w". Of pdf:Keywords and xmp:Keywords nobody knows where a keyword ends.
KEYWORD_LISTS = {
    SUBJECT: "|",
    HIERARCHY: "|",
    f"{DIGIKAM} TagsList": "/",
    f"{LIGHTROOM} weightedFlatSubject": "|",
    f"{MICROSOFT} LastKeywordXMP": "/",
    f"{MICROSOFT} LastKeywordIPTC": "/",
    f"{MEDIA_PRO} CatalogSets": "|",
    f"{EXPRESSION_MEDIA} CatalogSets": "|",
    f"{ACDSEE} keywords": "|",
}

# The lists that keywords are added to. Programs fill the others with copies of these.
WRITTEN_LISTS = (SUBJECT, HIERARCHY, f"{DIGIKAM} TagsList")


def standard(namespace: str) -> str:
    """Return the usual spelling of a namespace."""
    return _SPELLINGS.get(namespace, namespace)
