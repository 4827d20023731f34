"""Which tags become words, and their vectors: the vocabularies of the prepared file.

Words can be withheld (`--withhold`): no photo of train or dev shows them, so that only other text
says what they mean. What a run makes of them is measured by `eval.studies.open_vocabulary`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.config import PrepareConfig
from data_prep.corpus import Corpus
from data_prep.documents import check_text_file
from data_prep.photos import Photo
from data_prep.word_vectors import Vectors, least_count, read_word_vectors, train_word_vectors
from mmcgan.errors import DataError, OptionError
from mmcgan.inference.words.vocabulary import Vocabulary, unit_rows
from mmcgan.training.config import TagSource

LEARNT_SPLITS = ("train", "dev")


@dataclass(frozen=True)
class Withheld:
    """Words that were taken from the photos, with how many of train + dev carried each before.

    `n_without_vector` words of the vocabulary could not be taken: other text does not know them.
    """

    n_photos: Mapping[str, int] = field(default_factory=dict)
    n_without_vector: int = 0


def check_sources(config: PrepareConfig) -> None:
    """Raise `OptionError` or `DataError` now if a text or vector file cannot be read later."""
    if config.withhold and not (config.corpus or config.vectors):
        raise OptionError(
            "--withhold: the vectors of withheld words come from other text than the tags; name "
            "some with --corpus, or ready vectors with --vectors"
        )
    for path in config.corpus:
        check_text_file(path)
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


def withhold_words(photos: Sequence[Photo], config: PrepareConfig) -> tuple[list[Photo], Withheld]:
    """Take a seeded share of the words from the photos of train and dev.

    Only words that other text has a vector for can be taken; val and test keep theirs. Raises
    `DataError` if there is none to take.
    """
    if not config.withhold:
        return list(photos), Withheld()
    words = count_words(photos, "user", config.min_photos)
    known = _known_elsewhere(list(words), config)
    order = np.random.default_rng(config.seed).permutation(len(known))
    taken = {known[i] for i in order[: round(config.withhold * len(known))]}
    if not taken:
        raise DataError(
            f"--withhold: other text has vectors for {len(known)} of the {len(words)} tags of the "
            f"vocabulary, a share of {config.withhold:g} of them is none; give more text"
        )
    n_photos = {word: n for word, n in words.items() if word in taken}
    return [_without(photo, taken) for photo in photos], Withheld(n_photos, len(words) - len(known))


def _known_elsewhere(words: list[str], config: PrepareConfig) -> list[str]:
    """Return those `words` that ready vectors hold, or that occur often enough in further text."""
    if config.vectors:
        return list(read_word_vectors(config.vectors, words))
    counts = Corpus([], config.corpus, words, _corpus_folder(config)).counts()
    return [word for word in words if counts.tokens[word] >= least_count(config)]


def _without(photo: Photo, words: set[str]) -> Photo:
    if photo.split not in LEARNT_SPLITS:
        return photo
    return replace(photo, tags=tuple(word for word in photo.tags if word not in words))


def build_vocabularies(
    photos: Sequence[Photo],
    annotation_names: Sequence[str],
    config: PrepareConfig,
    withheld: Withheld | None = None,
) -> tuple[dict[str, Vocabulary], dict[str, Any]]:
    """Return the vocabulary of each kind of tags that can be learnt, and counts to report.

    Each has vectors of its own, so that a run on user tags alone has seen no annotation. Words
    that are `withheld` from the photos get the vectors of other text, as one more vocabulary
    beside that of user tags, which is then the only other one.
    """
    taken = withheld or Withheld()
    has_both = len(annotation_names) > 0 and not taken.n_photos
    sources: list[TagSource] = ["user", "user+annotations"] if has_both else ["user"]
    vocabularies: dict[str, Vocabulary] = {}
    counts: dict[str, Any] = {}
    left_out: dict[str, int] = {}
    for source in sources:
        words = count_words(photos, source, config.min_photos)
        vectors, left_out = _find_vectors(photos, source, [*words, *taken.n_photos], config)
        found = vocabularies[source] = _build_vocabulary(words, vectors)
        counts[source] = _count(found, len(words) - len(found))
    if taken.n_photos:
        found = vocabularies["withheld"] = _build_vocabulary(taken.n_photos, vectors)
        counts["withheld"] = _count(found, taken.n_without_vector)
    return vocabularies, {"vocabulary": counts, "corpus_left_out": left_out}


def _build_vocabulary(words: Mapping[str, int], vectors: Vectors) -> Vocabulary:
    """Return those `words` that have a vector, with the number of photos that carry each."""
    kept = [word for word in words if word in vectors]
    if not kept:
        raise DataError(f"none of the {len(words)} tags of the vocabulary has a word vector")
    return Vocabulary(
        tuple(kept),
        unit_rows(np.stack([vectors[word] for word in kept])),
        np.array([words[word] for word in kept], np.int64),
    )


def _count(vocabulary: Vocabulary, n_without_vector: int) -> dict[str, int]:
    return {"words": len(vocabulary), "words_without_vector": n_without_vector}


def _find_vectors(
    photos: Sequence[Photo], source: TagSource, words: list[str], config: PrepareConfig
) -> tuple[Vectors, dict[str, int]]:
    """Read or train the vectors of `words`, from tags of train + dev alone.

    The second value counts by reason the parts of the text files that were left out.
    """
    if config.vectors:
        return read_word_vectors(config.vectors, words), {}
    tag_lists = [tags_of(photo, source) for photo in photos if photo.split in LEARNT_SPLITS]
    corpus = Corpus([t for t in tag_lists if t], config.corpus, words, _corpus_folder(config))
    return train_word_vectors(corpus, words, config), dict(sorted(corpus.skipped().items()))


def _corpus_folder(config: PrepareConfig) -> Path:
    return config.partial / "corpus"
