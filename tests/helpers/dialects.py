"""One packet in many dialects of XMP: the same properties, spelled in every way that RDF allows."""

from __future__ import annotations

import random
from dataclasses import dataclass

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DC = "http://purl.org/dc/elements/1.1/"
LIGHTROOM = "http://ns.adobe.com/lightroom/1.0/"
DIGIKAM = "http://www.digikam.org/ns/1.0/"

WORDS = ("Küste", "b&amp;w", "sea lion", "日本", "x/y")
ITEMS = {
    "plain": "<{r}:li>{word}</{r}:li>",
    "numbered": "<{r}:_{n}>{word}</{r}:_{n}>",
    "language": "<{r}:li xml:lang={q}de{q}>{word}</{r}:li>",
    "data": "<{r}:li><![CDATA[{word}]]></{r}:li>",
    "resource": "<{r}:li {r}:parseType={q}Resource{q}><{r}:value>{word}</{r}:value></{r}:li>",
    "description": "<{r}:li><{r}:Description><{r}:value>{word}</{r}:value></{r}:Description>"
    "</{r}:li>",
    "value": "<{r}:li {r}:value={q}{word}{q}/>",
    "link": "<{r}:li {r}:resource={q}{word}{q}/>",
    "comment": "<!-- a --><{r}:li>{word}<!-- b --></{r}:li >",
}
ABOUTS = ("", ' {r}:about=""', ' about=""', ' {r}:about="uuid:1"', ' {r}:ID="x"', ' {r}:nodeID="n"')
SUBJECTS = ("none", "list", "list", "empty", "empty bag", "text", "qualified")


@dataclass(frozen=True)
class Dialect:
    """How a packet spells: prefixes, quotes, line ends, where it declares, its items and abouts."""

    rdf: str
    dc: str
    quote: str
    newline: str
    place: str
    items: str
    kind: str
    about: str
    subject: str

    @classmethod
    def draw(cls, chance: random.Random) -> Dialect:
        """Return a dialect drawn by `chance`."""
        return cls(
            rdf=chance.choice(["rdf", "rdf", "r", "RDF"]),
            dc=chance.choice(["dc", "dc", "d", "DC", ""]),
            quote=chance.choice("'\""),
            newline=chance.choice(["", "\n", "\r\n", "\n\t"]),
            place=chance.choice(["description", "rdf", "wrapper"]),
            items=chance.choice(list(ITEMS)),
            kind=chance.choice(["Bag", "Seq", "Alt"]),
            about=chance.choice(ABOUTS),
            subject=chance.choice(SUBJECTS),
        )

    def packet(self, chance: random.Random) -> bytes:
        """Return a packet in this dialect, with properties drawn by `chance`."""
        properties = [f"<{self._dc}title>T &amp; ü</{self._dc}title>", self._subject(chance)]
        if chance.random() < 0.5:
            properties.append(self._list("lr:hierarchicalSubject", ["Orte|Küste", "a"]))
        if chance.random() < 0.3:
            properties.append(self._list("dk:TagsList", ["Orte/Küste"]))
        chance.shuffle(properties)
        cut = chance.randrange(len(properties) + 1)
        holders = [part for part in (properties[:cut], properties[cut:]) if part]
        return self._wrapped("".join(self._description(part) for part in holders)).encode()

    @property
    def _dc(self) -> str:
        return f"{self.dc}:" if self.dc else ""

    def _declared(self, place: str) -> str:
        # An element of the default namespace would take what is in it along, so that goes inmost.
        if place != (self.place if self.dc else "description"):
            return ""
        names = {self.dc: DC, "lr": LIGHTROOM, "dk": DIGIKAM}
        pairs = ((f"xmlns:{name}".rstrip(":"), uri) for name, uri in names.items())
        return "".join(f" {name}={self.quote}{uri}{self.quote}" for name, uri in pairs)

    def _list(self, tag: str, words: list[str]) -> str:
        form = self.newline + ITEMS[self.items]
        items = "".join(
            form.format(r=self.rdf, n=number, q=self.quote, word=word)
            for number, word in enumerate(words, 1)
        )
        bag = f"{self.rdf}:{self.kind}"
        return f"<{tag}>{self.newline}<{bag}>{items}{self.newline}</{bag}>{self.newline}</{tag}>"

    def _subject(self, chance: random.Random) -> str:
        tag, r = f"{self._dc}subject", self.rdf
        full = self._list(tag, chance.sample(WORDS, 2))
        inner = full[len(tag) + 2 : -len(tag) - 3]
        return {
            "none": "",
            "list": full,
            "empty": f"<{tag} />",
            "empty bag": f"<{tag}><{r}:Bag></{r}:Bag></{tag}>",
            "text": f"<{tag}>{chance.choice(WORDS)}, more</{tag}>",
            "qualified": f"<{tag}><{r}:Description><{r}:value>{inner}</{r}:value>"
            f"</{r}:Description></{tag}>",
        }[self.subject]

    def _description(self, properties: list[str]) -> str:
        about = self.about.format(r=self.rdf).replace('"', self.quote)
        inner = self.newline.join(properties)
        tag = f"{self.rdf}:Description"
        return f"{self.newline}<{tag}{about}{self._declared('description')}>{inner}</{tag}>"

    def _wrapped(self, inner: str) -> str:
        q, rdf = self.quote, f"{self.rdf}:RDF"
        rdf_tag = f"{rdf} xmlns:{self.rdf}={q}{RDF}{q}{self._declared('rdf')}"
        wrapper = f"x:xmpmeta xmlns:x={q}adobe:ns:meta/{q}{self._declared('wrapper')}"
        return f"<{wrapper}><{rdf_tag}>{inner}{self.newline}</{rdf}></x:xmpmeta>"
