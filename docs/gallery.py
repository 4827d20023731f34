"""python docs/gallery.py [PHOTOGRAPHS]: write docs/gallery.md, tags on photographs side by side.

The page shows what the tables of docs/judging say of some photographs whose licence allows copies
with credit. Given the folder of photographs that `python -m eval.studies.judging find` gathered,
their small copies are made again too. `tests/docs/test_gallery.py` holds the page to the tables.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from eval.studies.judgement import BEST, JUDGES, folded, names_of
from eval.studies.judging import read_photos, read_tags, read_verdicts
from mmcgan.files import atomic_path
from mmcgan.folders.contact_sheet import thumbnail

DOCS = Path(__file__).parent
PAGE, PICTURES, TABLES = DOCS / "gallery.md", DOCS / "pictures" / "gallery", DOCS / "judging"
SIZE = 320  # pixels of a copy's longer side
SYSTEMS = ("model 1", "model 3")
MARKS = {(1, 1): "✓", (0, 0): "✗", (1, 0): "◐", (0, 1): "◐"}  # by what the two judges said
SHOWN = ["001", "002", "032", "040", "043", "047", "049", "056"]
SHOWN += ["060", "062", "064", "075", "079", "082", "094"]
CREDITS = {  # what a package says of an author beyond the name
    "001": "[Pexels](https://www.pexels.com/photo/angry-animal-big-carnivore-302304/)",
    "002": "[Nevit Dilmen](https://commons.wikimedia.org/wiki/User:Nevit)",
    "043": "[danielbuechele](https://www.flickr.com/photos/danielbuechele/6061409035/)",
    "056": "stefonarch, © 2022 LXQt Project Team",
}

INTRODUCTION = """\
# Photographs and their tags

What the first model and the model that ships now (models 1 and 3 of the tables) give to {n}
photographs: the five best tags of each, the best first. The photographs are some of those whose
tags were [judged by eye](judging/README.md).

- ✓ is right and ✗ wrong. Two judges said so, who saw neither model nor score; ◐ is where they
  differ.
- **Bold** tags are the main subject, which stands under the photograph, or an accepted name of it.
- The photographs are in the order of their numbers. Wrong tags are shown as they are: the five best
  are asked for, however sure the model is. `mmcgan` without `--k` leaves out those it is unsure of.

**These {n} flatter the model that ships.** {shown_now:.0%} of its tags here are right, but
{all_now:.0%} of its tags of all {n_all} photographs; of the tags before, {shown_before:.0%} here
and {all_before:.0%} of all. The photographs were not drawn at random, and {n_a} of them are of half
A, to which the scores of the model that ships were fitted too. What counts is
[what was found on half B](judging/README.md#what-was-found).

| photograph | before | now |
|---|---|---|
"""

LICENCES = """
## Authors and licences

The pictures above are the photographs **reduced in size** and saved as WebP, not changed otherwise.
**They are not part of what the project's Apache-2.0 licence covers.** Each is under the licence of
its photograph; where that is a share-alike licence (BY-SA), the reduced copy is under the same one.
[photos.csv](judging/photos.csv) has the digests of the originals.

| photograph | author | licence | file, in the Debian package |
|---|---|---|---|
"""

ENDING = """
## To make this page again

```sh
python docs/gallery.py               # the page, from the tables of docs/judging
python docs/gallery.py photographs   # the pictures too, from the photographs at their full size
```
"""


def page() -> str:
    """Return the page, in Markdown."""
    photos, tags = read_photos(TABLES), judged_tags()
    shown = photos.set_index("id", drop=False).loc[SHOWN]
    names = names_of(photos)
    rows = [
        _row(_picture(photo), *(_cell(tags, photo.id, system, names) for system in SYSTEMS))
        for photo in shown.itertuples()
    ]
    credits = [_row(*_credit(photo)) for photo in shown.itertuples()]
    start = INTRODUCTION.format(**_facts(photos, shown, tags))
    return "".join([start, *rows, LICENCES, *credits, ENDING])


def judged_tags() -> pd.DataFrame:
    """Return the best tags of both models on all photographs, each with what the judges said."""
    tags = read_tags(TABLES)
    tags = tags[(tags["rank"] <= BEST) & tags["system"].isin(SYSTEMS)]
    return tags.merge(read_verdicts(TABLES), on=["photo", "word"], validate="many_to_one")


def licence_of(stated: str) -> tuple[str, str]:
    """Return the usual name and the address of a licence: CC-BY-4.0 → CC BY 4.0, https://…."""
    kind, version = stated.split()[0].rsplit("-", 1)
    if kind == "CC0":
        return f"CC0 {version}", f"https://creativecommons.org/publicdomain/zero/{version}/"
    terms = kind.removeprefix("CC-")
    address = f"https://creativecommons.org/licenses/{terms.lower()}/{version}/"
    return f"CC {terms} {version}", address


def write_pictures(photographs: Path) -> None:
    """Write the small copies, without metadata, of the photographs in a folder."""
    for id in SHOWN:
        (photograph,) = photographs.glob(f"{id}.*")
        with atomic_path(PICTURES / f"{id}.webp") as partial:
            partial.write_bytes(thumbnail(photograph, SIZE))


def _facts(photos: pd.DataFrame, shown: pd.DataFrame, tags: pd.DataFrame) -> dict[str, float]:
    """Return the numbers of the introduction."""
    facts: dict[str, float] = {"n": len(shown), "n_all": len(photos)}
    facts["n_a"] = int((shown["half"] == "A").sum())
    for name, system in zip(("before", "now"), SYSTEMS, strict=True):
        right = tags[tags["system"] == system].set_index("photo")[JUDGES].mean(axis=1)
        facts[f"all_{name}"] = right.mean()
        facts[f"shown_{name}"] = right[right.index.isin(SHOWN)].mean()
    return facts


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


def _picture(photo: pd.Series) -> str:
    image = f"![{photo.subject}](pictures/gallery/{photo.id}.webp)"
    return f"{image}<br>{photo.id}, half {photo.half}: {photo.subject}"


def _cell(tags: pd.DataFrame, photo: str, system: str, names: dict[str, set[str]]) -> str:
    """Return the tags of a model on a photograph with their marks, a line each."""
    own = tags[(tags["photo"] == photo) & (tags["system"] == system)].sort_values("rank")
    return "<br>".join(
        f"{MARKS[first, second]} {f'**{word}**' if folded(word) in names[photo] else word}"
        for word, first, second in own[["word", *JUDGES]].itertuples(index=False)
    )


def _credit(photo: pd.Series) -> list[str]:
    name, address = licence_of(photo.licence)
    author = CREDITS.get(photo.id, photo.author)
    return [photo.id, author, f"[{name}]({address})", f"`{Path(photo.file).name}`, {photo.package}"]


def main(arguments: list[str]) -> None:
    """Write the page; given a folder of photographs, the pictures too."""
    for folder in arguments:
        write_pictures(Path(folder))
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
