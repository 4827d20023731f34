"""The service behind the web page: it takes in photos and answers questions about them, not HTTP.

A photo is received once. Its features and the keywords it carries are held under a key that cannot
be guessed, for as long as the photo is among the newest. Its pixels and its name are not kept.
"""

from __future__ import annotations

import secrets
import tempfile
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import IO

import numpy as np

from mmcgan.arrays import FloatArray
from mmcgan.errors import MmcganError
from mmcgan.inference.photos.images import check_size, open_header
from mmcgan.inference.tagger import Tag, Tagger
from mmcgan.inference.words.ranking import Draws, count_votes
from mmcgan.inference.words.vocabulary import unit_rows
from mmcgan.metadata import Marks, read_keywords
from mmcgan.metadata.xmp.marking import mark
from mmcgan.web.training_photos import TrainingPhotos

MAX_PIXELS = 100_000_000  # of a photo
N_HELD = 512  # photos
N_NEAR = 12  # nearest words, and similar photos


class NotHereError(MmcganError):
    """A photo that is no longer held, or a word or a picture that does not exist."""


@dataclass(frozen=True)
class HeldPhoto:
    """A received photo: what `Tagger.look` sees in it, and the keywords that it carries."""

    features: FloatArray
    classes: FloatArray | None
    carried: tuple[str, ...]


class TaggingService:
    """Tags photos and answers questions about them; several threads may ask at once."""

    def __init__(self, tagger: Tagger, model_name: str, photos: TrainingPhotos | None = None):
        self.tagger = tagger
        self.model_name = model_name
        self.photos = photos
        self._held: OrderedDict[str, HeldPhoto] = OrderedDict()
        self._one_at_a_time = Lock()

    def receive(self, upload: IO[bytes]) -> str:
        """Take in an encoded photo and return its key.

        One photo is decoded at a time, so that many uploads do not fill the memory. Raises
        `PhotoError` if the photo cannot be opened or has more than `MAX_PIXELS` pixels.
        """
        with self._one_at_a_time:
            data = upload.read()
            with open_header(data) as header:
                check_size(header, "the photo", MAX_PIXELS)
            photo = HeldPhoto(*self.tagger.look(data), _carried_keywords(data))
            key = secrets.token_urlsafe(16)
            self._held[key] = photo
            if len(self._held) > N_HELD:
                self._held.popitem(last=False)
        return key

    def tags(self, key: str, k: int, threshold: float) -> list[Tag]:
        """Return the best tags of a photo: at most k, with a score of at least `threshold`."""
        photo = self._photo(key)
        tags = self.tagger.tag_features(photo.features, k, photo.classes)[0]
        return [tag for tag in tags if tag.score >= threshold]

    def draws(self, key: str, seed: int, k: int) -> list[Tag]:
        """Return the words that most draws come nearest to, with their shares of the draws."""
        model, index = self.tagger.model, self.tagger.index
        samples = model.sample(self._photo(key).features, self.tagger.n_samples, seed)
        draws = Draws.of(samples, index)
        ranking = count_votes(draws, draws.neighbours(1)).rank(k)
        words = model.vocabulary.words
        pairs = zip(ranking.rows[0], ranking.scores[0], strict=True)
        return [Tag(words[row], float(share)) for row, share in pairs if share > 0]

    def nearest_words(self, word: str) -> list[Tag]:
        """Return the words nearest to `word` in the model's table, with their cosines."""
        vocabulary = self.tagger.model.vocabulary
        if word not in vocabulary.row_of:
            raise NotHereError("the model has no such word")
        row = vocabulary.row_of[word]
        cosines = self._unit_words @ self._unit_words[row]
        cosines[row] = -np.inf
        best = np.argsort(-cosines, kind="stable")[: min(N_NEAR, len(vocabulary) - 1)]
        return [Tag(vocabulary.words[other], float(cosines[other])) for other in best]

    def similar_photos(self, key: str, word: str) -> list[int]:
        """Return the places of training photos that carry `word`, the most similar first."""
        features = self._photo(key).features
        return self.photos.similar(features, word, N_NEAR) if self.photos else []

    def thumbnail(self, place: int) -> bytes:
        """Return the JPEG of a training photo, given its place."""
        if self.photos is None or not 0 <= place < len(self.photos.jpegs):
            raise NotHereError("there is no such picture")
        return self.photos.jpegs[place]

    def sidecar(self, key: str, k: int, threshold: float, now: datetime) -> bytes:
        """Return an XMP sidecar with the tags of a photo, except those that it already carries."""
        marks = Marks(tuple(self.tags(key, k, threshold)), self.model_name, now)
        packet = mark(None, marks, self._photo(key).carried, "the sidecar")
        if packet is None:
            raise NotHereError(
                "there is no tag to write: the photo has them, or none reaches the score"
            )
        return packet

    def _photo(self, key: str) -> HeldPhoto:
        photo = self._held.get(key)
        if photo is None:
            raise NotHereError("that photo is no longer held; send it again")
        return photo

    @cached_property
    def _unit_words(self) -> FloatArray:
        return unit_rows(self.tagger.model.vocabulary.vectors)


def _carried_keywords(data: bytes) -> tuple[str, ...]:
    """Return the keywords of an encoded photo."""
    with tempfile.TemporaryDirectory(prefix="mmcgan-") as folder:
        path = Path(folder) / "photo"
        path.write_bytes(data)
        return read_keywords(path, ()).texts
