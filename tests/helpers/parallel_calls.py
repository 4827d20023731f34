"""python parallel_calls.py csv|sidecar|embedded|remove PLACE PHOTO…: one of several calls at once.

PLACE is the table, or a word that is not used. What fails is printed, a line each.
"""

from __future__ import annotations

import sys
from operator import methodcaller
from pathlib import Path

from mmcgan.errors import MmcganError
from mmcgan.folders.photo_library import KeywordOutput, clear_library
from mmcgan.folders.summary import Summary
from mmcgan.folders.tag_list import TagList
from mmcgan.inference.tagger import Tag

TAGS = [Tag("sea", 0.9), Tag("sky", 0.8)]


def work(what: str, place: str, photos: list[str]) -> None:
    summary = Summary(len(photos))
    make = methodcaller("apply")
    if what == "remove":
        clear_library(photos, make, summary, lambda photo, error: print(error))
        return
    output = (
        TagList(Path(place), "m 1")
        if what == "csv"
        else KeywordOutput(what, "m 1", "", make, summary)
    )
    for photo in photos:
        try:
            output.put(photo, TAGS)
        except MmcganError as error:
            print(error)


if __name__ == "__main__":
    work(sys.argv[1], sys.argv[2], sys.argv[3:])
