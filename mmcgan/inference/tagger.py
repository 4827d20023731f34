"""Tagger: load a model once, tag many photos.

There is one way in: photos become features (`features`, `tag_each`), features become what ranks the
words (`ranked`), and that becomes tags (`tag_features`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mmcgan.arrays import FloatArray
from mmcgan.errors import DataError, OptionError, PhotoError
from mmcgan.inference.model import Model, read_model
from mmcgan.inference.model_dir import ModelDir, named_model
from mmcgan.inference.photos.backbone import Backbone, restore_backbone
from mmcgan.inference.photos.decoding import (
    Seen,
    compute_features,
    decode_ahead,
    decode_pixels,
    look_at,
)
from mmcgan.inference.scorers import SCORERS, Scorer
from mmcgan.inference.words.index import WordIndex
from mmcgan.inference.words.ranking import Draws, Ranked, Ranking

if TYPE_CHECKING:
    from mmcgan.inference.photos.feature_cache import FeatureCache

N_SAMPLES = 100  # generated vectors a photo (arXiv 1411.1784, section 4.2)
BATCH_SIZE = 64  # photos that go through the network together

PhotoSource = str | Path | bytes


class Tag(NamedTuple):
    """A word and its score: the probability that the user would write it.

    Of a run without a calibration, the score of its ranking (`mmcgan.inference.words.ranking`).
    """

    word: str
    score: float


@dataclass(frozen=True)
class Tagger:
    """Tags photos with a trained model.

    The same seed gives the same tags, whatever photos are tagged together.
    """

    model: Model
    seed: int = 0
    n_samples: int = N_SAMPLES
    cache: FeatureCache | None = None  # of photos tagged by `tag_each`

    @classmethod
    def load(cls, run: str | Path | None = None, seed: int = 0) -> Tagger:
        """Load the model of a finished run.

        If none is named, it is the newest one under ./runs, or else the model that ships with
        mmcgan. Raises `RunError` if there is none, or if it is broken.
        """
        return cls(read_model(ModelDir(named_model(run))), seed)

    def tag(self, photo: PhotoSource, k: int = 10) -> list[Tag]:
        """Return the min(k, V) best tags of one photo, a path or the bytes of a file.

        Raises `PhotoError` if the photo cannot be opened, `OptionError` if k is below 1.
        """
        return self.tag_many([photo], k)[0]

    def tag_many(self, photos: Sequence[PhotoSource], k: int = 10) -> list[list[Tag]]:
        """Return the tags of each of `photos`; the first that cannot be opened raises."""
        found = []
        for result in list(self.tag_each(photos, k)):
            if isinstance(result, PhotoError):
                raise result
            found.append(result)
        return found

    def tag_each(
        self, photos: Iterable[PhotoSource], k: int = 10
    ) -> Iterator[list[Tag] | PhotoError]:
        """Yield the tags of each of `photos`, or the error of one that cannot be opened."""
        _check_k(k)
        decode = partial(_try_look, backbone=self.backbone, cache=self.cache)
        for batch in decode_ahead(decode, photos, BATCH_SIZE):
            seen = [photo for photo in batch if not isinstance(photo, PhotoError)]
            tags = iter(self.tag_features(compute_features(seen, self.backbone, self.cache), k))
            for result in batch:
                yield result if isinstance(result, PhotoError) else next(tags)

    def features(self, photo: PhotoSource) -> FloatArray:
        """Return the backbone's features (1, D) of one photo. Raises `PhotoError`."""
        return self.backbone.features_of_pixels(decode_pixels(_source(photo), self.backbone)[None])

    def tag_features(self, features: FloatArray, k: int = 10) -> list[list[Tag]]:
        """Return the tags of each row of raw backbone features (N, D); see `tag`."""
        _check_k(k)
        return [tags for ranked in self.ranked(features) for tags in self._tags(ranked.rank(k))]

    def ranked(self, features: FloatArray) -> Iterator[Ranked]:
        """Yield what ranks the words for raw features (N, D), some images at a time."""
        for batch in self._batches(features):
            yield self.scorer(self.model.standardizer(features[batch]))

    def draws(self, features: FloatArray) -> Iterator[Draws]:
        """Yield the draws for raw features (N, D) and the words near them, some images at a time.

        To tag by the mean draw takes none of them.
        """
        for _, vectors in self.samples(features):
            yield Draws.of(vectors, self.index)

    def samples(self, features: FloatArray) -> Iterator[tuple[slice, FloatArray]]:
        """Yield generated vectors (B, S, E) for slices of raw features (N, D).

        Raises `DataError` if the features are not of the size that the model was trained on.
        """
        for batch in self._batches(features):
            yield batch, self.model.sample(features[batch], self.n_samples, self.seed)

    def _batches(self, features: FloatArray) -> Iterator[slice]:
        expected = len(self.model.standardizer.mean)
        if features.ndim != 2 or features.shape[1] != expected:
            raise DataError(
                f"features of shape {features.shape}, but the model takes (N, {expected})"
            )
        for start in range(0, len(features), BATCH_SIZE):
            yield slice(start, min(start + BATCH_SIZE, len(features)))

    def _tags(self, ranking: Ranking) -> Iterator[list[Tag]]:
        words, calibrated = self.model.vocabulary.words, self.model.calibrated(ranking.scores)
        for rows, scores in zip(ranking.rows, calibrated, strict=True):
            yield [Tag(words[row], float(score)) for row, score in zip(rows, scores, strict=True)]

    @cached_property
    def scorer(self) -> Scorer:
        """The model's rule of ranking, on standardised features."""
        model = self.model
        return SCORERS[model.ranking](model.network, self.index, self.n_samples, self.seed)

    @cached_property
    def index(self) -> WordIndex:
        """The search over the model's words."""
        return self.model.build_index()

    @cached_property
    def backbone(self) -> Backbone:
        """The backbone whose features the model was trained on, loaded on first use."""
        return restore_backbone(self.model.backbone)


def _try_look(
    photo: PhotoSource, backbone: Backbone, cache: FeatureCache | None
) -> Seen | PhotoError:
    """Decode a photo as the bulk extraction does, so that its features are the same."""
    try:
        return look_at(_source(photo), backbone, cache)
    except PhotoError as error:
        return error
    except OSError as reason:  # a drive that fails at one photo may have the next
        return PhotoError(f"{photo!s} cannot be read: {reason.strerror or reason}")


def _source(photo: PhotoSource) -> bytes | Path:
    """Return the bytes or the path of a photo; raise `PhotoError` for the path ""."""
    if photo == "":  # of which `Path` makes the working folder
        raise PhotoError("the path of the photo is empty; is a variable unset?")
    return photo if isinstance(photo, bytes) else Path(photo)


def _check_k(k: int) -> None:
    if k < 1:
        raise OptionError(f"--k: {k} is out of range, it must be at least 1")
