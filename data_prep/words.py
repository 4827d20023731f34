"""Which tags become words, and their vectors: the vocabularies of the prepared file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from data_prep.corpus import Corpus
from data_prep.photos import Photo
from data_prep.word_vectors import Vectors, read_word_vectors, train_word_vectors
from mmcgan.config import PrepareConfig, TagSource
from mmcgan.errors import DataError
from mmcgan.vocabulary import Vocabulary, unit_rows

LEARNT_SPLITS = ("train", "dev")


def check_sources(config: PrepareConfig) -> None:
    """Raise `OptionError` or `DataError` now if a text or vector file cannot be read later."""
    Corpus([], config.corpus, [])
    if config.vectors:
        read_word_vectors(config.vectors, [])


def tags_of(photo: Photo, source: TagSource) -> tuple[str, ...]:
    """Return the tags of a photo by `source`, each once."""
    if source == "user":
        return photo.tags
    return tuple(dict.fromkeys((*photo.tags, *photo.annotations)))


def count_words(photos: Sequence[Photo], source: TagSource, min_photos: int) -> dict[str, int]:
    """Return the words that at least `min_photos` photos of train + dev carry, with that number.

    In dictionary order. Raises `DataError` if there is none.
    """
    learnt = [photo for photo in photos if photo.split in LEARNT_SPLITS]
    counts = Counter(word for photo in learnt for word in tags_of(photo, source))
    if not counts:
        raise DataError(
            f"none of the {len(learnt)} photos of train and dev has a tag; tags are what is learnt"
        )
    kept = {word: n for word, n in sorted(counts.items()) if n >= min_photos}
    if not kept:
        raise DataError(
            f"--min-photos: no tag is carried by {min_photos} photos of train and dev, the most "
            f"frequent by {max(counts.values())}; lower it or add photos"
        )
    return kept


def build_vocabularies(
    photos: Sequence[Photo], annotation_names: Sequence[str], config: PrepareConfig
) -> tuple[dict[str, Vocabulary], dict[str, Any]]:
    """Return the vocabulary of each kind of tags that can be learnt, and counts to report.

    Each has vectors of its own, so that a run on user tags alone has seen no annotation.
    """
    sources: list[TagSource] = ["user", *(["user+annotations"] if annotation_names else [])]  # type: ignore[list-item]
    vocabularies: dict[str, Vocabulary] = {}
    counts: dict[str, Any] = {}
    for source in sources:
        words = count_words(photos, source, config.min_photos)
        vectors = _find_vectors(photos, source, list(words), config)
        kept = [word for word in words if word in vectors]
        if not kept:
            raise DataError(f"none of the {len(words)} tags of the vocabulary has a word vector")
        vocabularies[source] = Vocabulary(
            tuple(kept),
            unit_rows(np.stack([vectors[word] for word in kept])),
            np.array([words[word] for word in kept], np.int64),
        )
        counts[source] = {"words": len(kept), "words_without_vector": len(words) - len(kept)}
    return vocabularies, {"vocabulary": counts}


def _find_vectors(
    photos: Sequence[Photo], source: TagSource, words: list[str], config: PrepareConfig
) -> Vectors:
    """Read or train the vectors of `words`; the text is that of train + dev alone."""
    if config.vectors:
        return read_word_vectors(config.vectors, words)
    tag_lists = [tags_of(photo, source) for photo in photos if photo.split in LEARNT_SPLITS]
    corpus = Corpus([tags for tags in tag_lists if tags], config.corpus, words)
    return train_word_vectors(corpus, words, config)
