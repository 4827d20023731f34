"""The gallery of a report: evaluated photos beside what people and the cgan wrote on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmcgan.inference.words.ranking import Ranking
from mmcgan.inference.words.vocabulary import Vocabulary
from mmcgan.training.config import TagSource
from mmcgan.training.prepared.dataset import Dataset

N_TAGS = 10  # generated tags a photo
N_PHOTOS = 24


@dataclass(frozen=True)
class GalleryPhoto:
    """One photo: its thumbnail, its true tags, and (word, score, whether right) as generated."""

    image_id: int | str
    thumbnail_jpeg: bytes | None
    user_tags: Sequence[str]
    annotations: Sequence[str]
    generated: Sequence[tuple[str, float, bool]]


def build_gallery(
    dataset: Dataset,
    rows: npt.NDArray[np.integer],
    ranking: Ranking,
    vocabulary: Vocabulary,
    tags: TagSource,
) -> list[GalleryPhoto]:
    """Return the evaluated photos that have a thumbnail, in file order, N_PHOTOS at most.

    `rows` (N,) are the evaluated rows of `dataset`, `ranking` (N, depth) what was generated for
    them. A generated word is right if the photo carries it by `tags`, which the run learnt.
    """
    places = [place for place, row in enumerate(rows) if int(row) in dataset.thumbnails]
    best = ranking.top(N_TAGS)
    return [
        _gallery_photo(dataset, int(rows[place]), best, place, vocabulary, tags)
        for place in places[:N_PHOTOS]
    ]


def _gallery_photo(
    dataset: Dataset, row: int, best: Ranking, place: int, vocabulary: Vocabulary, tags: TagSource
) -> GalleryPhoto:
    user_tags = dataset.tags["user"].of(row)
    table = dataset.tags.get("annotations")
    annotations = table.of(row) if table else []
    right = set(user_tags) | (set(annotations) if tags == "user+annotations" else set())
    words = [vocabulary.words[word_row] for word_row in best.rows[place]]
    image_id = dataset.image_ids[row]
    return GalleryPhoto(
        image_id=image_id.item() if isinstance(image_id, np.generic) else image_id,
        thumbnail_jpeg=dataset.thumbnails[row],
        user_tags=user_tags,
        annotations=annotations,
        generated=[
            (word, float(score), word in right)
            for word, score in zip(words, best.scores[place], strict=True)
        ],
    )
