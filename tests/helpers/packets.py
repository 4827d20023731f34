"""XMP in the style of several programs, and marks to write into it."""

from __future__ import annotations

from datetime import datetime, timezone

from mmcgan.metadata import Marks

TIME = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)

RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
DC = 'xmlns:dc="http://purl.org/dc/elements/1.1/"'

# Simple properties as attributes, no wrapper, three spaces a level.
LIGHTROOM = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core 7.0-c000 1.000000  ">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:tiff="http://ns.adobe.com/tiff/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:lr="http://ns.adobe.com/lightroom/1.0/"
    xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"
   xmp:CreatorTool="Adobe Photoshop Lightroom Classic 12.3 (Macintosh)"
   xmp:Rating="4"
   tiff:Model="X &gt; Y &quot;Z&quot;"
   crs:Temperature="5350"
   crs:HasSettings="True">
   <dc:title>
    <rdf:Alt>
     <rdf:li xml:lang="x-default">Am H\xc3\xbcgel &amp; See</rdf:li>
    </rdf:Alt>
   </dc:title>
   <dc:subject>
    <rdf:Bag>
     <rdf:li>Birds</rdf:li>
     <rdf:li>Grey Heron</rdf:li>
    </rdf:Bag>
   </dc:subject>
   <lr:hierarchicalSubject>
    <rdf:Bag>
     <rdf:li>Animals|Birds|Grey Heron</rdf:li>
    </rdf:Bag>
   </lr:hierarchicalSubject>
   <crs:ToneCurvePV2012>
    <rdf:Seq>
     <rdf:li>0, 0</rdf:li>
     <rdf:li>255, 255</rdf:li>
    </rdf:Seq>
   </crs:ToneCurvePV2012>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""

# A wrapper with a byte order mark in it, sequences, paths with slashes, padding at the end.
DIGIKAM = b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:digiKam="http://www.digikam.org/ns/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:lr="http://ns.adobe.com/lightroom/1.0/"
    xmlns:MicrosoftPhoto="http://ns.microsoft.com/photo/1.0/"
   digiKam:ColorLabel="0"
   digiKam:PickLabel="2">
   <digiKam:TagsList>
    <rdf:Seq>
     <rdf:li>Orte/K\xc3\xbcste</rdf:li>
     <rdf:li>b&amp;w</rdf:li>
    </rdf:Seq>
   </digiKam:TagsList>
   <MicrosoftPhoto:LastKeywordXMP>
    <rdf:Bag>
     <rdf:li>Orte/K\xc3\xbcste</rdf:li>
    </rdf:Bag>
   </MicrosoftPhoto:LastKeywordXMP>
   <dc:subject>
    <rdf:Bag>
     <rdf:li>K\xc3\xbcste</rdf:li>
     <rdf:li>b&amp;w</rdf:li>
    </rdf:Bag>
   </dc:subject>
   <lr:hierarchicalSubject>
    <rdf:Bag>
     <rdf:li>Orte|K\xc3\xbcste</rdf:li>
     <rdf:li>b&amp;w</rdf:li>
    </rdf:Bag>
   </lr:hierarchicalSubject>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
                                                                                                    
<?xpacket end="w"?>"""

# A declaration, an edit history, comments, no keywords yet.
DARKTABLE = b"""<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <!-- <dc:subject> is not here -->
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"
    xmlns:darktable="http://darktable.sf.net/"
   xmp:Rating="1"
   xmpMM:DerivedFrom="IMG_1.jpg"
   darktable:import_timestamp="63800000000000000"
   darktable:xmp_version="5"
   darktable:history_end="2">
   <darktable:history>
    <rdf:Seq>
     <rdf:li
      darktable:num="0"
      darktable:operation="exposure"
      darktable:params="gz02eJxjYBgFo2AU0AcAAAQAAAE="/>
     <rdf:li darktable:num="1" darktable:operation="sharpen"/>
    </rdf:Seq>
   </darktable:history>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""

STYLES = {"lightroom": LIGHTROOM, "digikam": DIGIKAM, "darktable": DARKTABLE}
STYLES |= {f"{name}, CRLF": data.replace(b"\n", b"\r\n") for name, data in STYLES.items()} | {
    f"{name}, BOM": b"\xef\xbb\xbf" + data for name, data in STYLES.items()
}
UTF_16 = '<?xml version="1.0" encoding="UTF-16"?>\n' + LIGHTROOM.decode()
STYLES["lightroom, UTF-16"] = b"\xff\xfe" + UTF_16.encode("utf-16-le")
STYLES["darktable, Latin-1"] = DARKTABLE.replace(b"UTF-8", b"ISO-8859-1").replace(
    b"sharpen", "schärfen".encode("latin-1")
)
STYLES["digikam, zero bytes behind"] = DIGIKAM + b"\0\0"


def packet(properties: str, attributes: str = "") -> bytes:
    """A small packet with the given properties in its only description."""
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {RDF}>'
        f'<rdf:Description rdf:about="" {DC} xmlns:lr="http://ns.adobe.com/lightroom/1.0/" '
        f'xmlns:digiKam="http://www.digikam.org/ns/1.0/"{attributes}>{properties}'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def subject(*words: str, kind: str = "Bag", tag: str = "dc:subject") -> str:
    items = "".join(f"<rdf:li>{word}</rdf:li>" for word in words)
    return f"<{tag}><rdf:{kind}>{items}</rdf:{kind}></{tag}>"


def marks(*words: str, prefix: str = "", model: str = "0001", time: datetime = TIME) -> Marks:
    """Marks with falling scores."""
    return Marks(tuple((word, 0.9 - 0.1 * i) for i, word in enumerate(words)), model, time, prefix)
