"""Tagger: load a model once, tag many photos.

There is one way in: photos become features (`look`, `tag_each`), features become what ranks the
words (`ranked`), and that becomes tags (`tag_features`). There the words for what stands in the
picture join them (`words/objects.py`), and the rules of the words hold (`words/rules.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mmcgan.arrays import FloatArray
from mmcgan.errors import DataError, OptionError, PhotoError
from mmcgan.inference.model import Model, read_model
from mmcgan.inference.model_dir import ModelDir, named_model
from mmcgan.inference.photos.backbone import Backbone, restore_backbone
from mmcgan.inference.photos.decoding import (
    Network,
    Seen,
    compute_features,
    decode_ahead,
    decode_pixels,
    look_at,
)
from mmcgan.inference.photos.views import TwoViews, described
from mmcgan.inference.scorers import SCORERS, Scorer
from mmcgan.inference.words.index import WordIndex
from mmcgan.inference.words.objects import object_words
from mmcgan.inference.words.ranking import Draws, Ranked
from mmcgan.inference.words.rules import Rules

if TYPE_CHECKING:
    from mmcgan.inference.photos.feature_cache import FeatureCache

N_SAMPLES = 100  # generated vectors a photo (arXiv 1411.1784, section 4.2)
BATCH_SIZE = 64  # photos that go through the network together

PhotoSource = str | Path | bytes
Scored = Iterable[tuple[str, float]]  # words with their scores


class Tag(NamedTuple):
    """A word and its score: the probability that the user would write it.

    Of the model that ships, that a person who looks at the photo calls the tag right. Of a run
    without a calibration, the score of its ranking (`mmcgan.inference.words.ranking`).
    """

    word: str
    score: float


@dataclass(frozen=True)
class Tagger:
    """Tags photos with a trained model.

    The same seed gives the same tags, whatever photos are tagged together. `objects` adds words for
    what stands in the picture, where the model can; `folds` puts words that say the same into one,
    and holds to all that the model's rules say of its words.
    """

    model: Model
    seed: int = 0
    n_samples: int = N_SAMPLES
    cache: FeatureCache | None = None  # of photos tagged by `tag_each`, as `network` sees them
    objects: bool = True
    folds: bool = True

    @classmethod
    def load(cls, run: str | Path | None = None, seed: int = 0, *, objects: bool = True) -> Tagger:
        """Load the model of a finished run.

        If none is named, it is the newest one under ./runs, or else the model that ships with
        mmcgan. Raises `RunError` if there is none, or if it is broken.
        """
        return cls(read_model(ModelDir(named_model(run))), seed, objects=objects)

    def tag(self, photo: PhotoSource, k: int = 10) -> list[Tag]:
        """Return the min(k, words that may be given) best tags of a photo: a path, or its bytes.

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
        decode = partial(_try_look, network=self.network, cache=self.cache)
        for batch in decode_ahead(decode, photos, BATCH_SIZE):
            seen = [photo for photo in batch if not isinstance(photo, PhotoError)]
            features, classes = self._split(compute_features(seen, self.network, self.cache))
            tags = iter(self.tag_features(features, k, classes))
            for result in batch:
                yield result if isinstance(result, PhotoError) else next(tags)

    def features(self, photo: PhotoSource) -> FloatArray:
        """Return the backbone's features (1, D) of one photo. Raises `PhotoError`."""
        return self.backbone.features_of_pixels(decode_pixels(_source(photo), self.backbone)[None])

    def look(self, photo: PhotoSource) -> tuple[FloatArray, FloatArray | None]:
        """Return what `tag_features` takes for one photo: features (1, D), class probabilities.

        The latter (1, 1000) are of the whole photo; None without objects. Raises `PhotoError`.
        """
        pixels = decode_pixels(_source(photo), self.network)[None]
        return self._split(self.network.features_of_pixels(pixels))

    def tag_features(
        self, features: FloatArray, k: int = 10, classes: FloatArray | None = None
    ) -> list[list[Tag]]:
        """Return the tags of each row of raw backbone features (N, D); see `tag`.

        `classes` (N, 1000) are the class probabilities of the whole photos. Without them objects
        are named by those that the features hold, which are of the square.
        """
        _check_k(k)
        scored = zip(self._words(features, k), self._objects(features, classes), strict=False)
        return [
            [Tag(*pair) for pair in self.rules.apply(chain(words, objects))[:k]]
            for words, objects in scored
        ]

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

    def _words(self, features: FloatArray, k: int) -> Iterator[Scored]:
        """Yield each photo's best words of the vocabulary, enough that the rules leave k."""
        words = self.model.vocabulary.words
        for ranked in self.ranked(features):
            ranking = ranked.rank(self.rules.depth(k))
            for rows, scores in zip(
                ranking.rows, self.model.calibrated(ranking.scores), strict=True
            ):
                yield zip((words[row] for row in rows), map(float, scores), strict=True)

    def _objects(self, features: FloatArray, classes: FloatArray | None) -> Iterator[Scored]:
        """Yield the words for what stands in each photo; none if that is not wanted or known."""
        if not self._names_objects or self.model.objects is None:
            return repeat(())
        if classes is None:
            classes = described(self.model.backbone).class_probabilities(features)
        return object_words().found(classes, self.model.objects)

    def _split(self, features: FloatArray) -> tuple[FloatArray, FloatArray | None]:
        """Return features of `network` as those of the square, and the whole's classes if any."""
        return (features, None) if self.views is None else self.views.split(features)

    @cached_property
    def scorer(self) -> Scorer:
        """The model's rule of ranking, on standardised features."""
        model = self.model
        return SCORERS[model.ranking](model.network, self.index, self.n_samples, self.seed)

    @cached_property
    def index(self) -> WordIndex:
        """The search over the model's words."""
        return self.model.build_index()

    @property
    def n_words(self) -> int:
        """The number of words that it may choose from."""
        n_objects = len(object_words().words) if self.model.objects else 0
        return len(self.model.vocabulary) + n_objects

    @property
    def rules(self) -> Rules:
        """What becomes of the model's words."""
        return self.model.rules if self.folds else Rules()

    @cached_property
    def views(self) -> TwoViews | None:
        """Both views of a photo, where what stands in it is named."""
        return TwoViews(self.backbone) if self._names_objects else None

    @property
    def _names_objects(self) -> bool:
        is_wanted = self.objects and self.model.objects is not None
        return is_wanted and described(self.model.backbone).n_classes > 0

    @property
    def seen_record(self) -> dict[str, Any]:
        """What identifies the features that it makes of photos, in a cache."""
        record = self.model.backbone
        return TwoViews(described(record)).record if self._names_objects else record

    @property
    def network(self) -> Backbone | TwoViews:
        """What sees the photos: the backbone, or both views with it."""
        return self.views or self.backbone

    @cached_property
    def backbone(self) -> Backbone:
        """The backbone whose features the model was trained on, loaded on first use."""
        return restore_backbone(self.model.backbone)


def _try_look(
    photo: PhotoSource, network: Network, cache: FeatureCache | None
) -> Seen | PhotoError:
    """Decode a photo as the bulk extraction does, so that its features are the same."""
    try:
        return look_at(_source(photo), network, cache)
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
