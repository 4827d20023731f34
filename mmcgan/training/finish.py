"""From trained networks to the model of a run: what is fitted on dev once, and what is written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
from scipy import sparse
from torch import nn

from mmcgan.arrays import FloatArray
from mmcgan.inference.calibration import Calibration
from mmcgan.inference.model import Model, read_model
from mmcgan.inference.model_dir import ModelDir
from mmcgan.inference.network import Standardizer
from mmcgan.inference.tagger import Tagger
from mmcgan.inference.words.ranking import Draws, count_distinct
from mmcgan.inference.words.vocabulary import Vocabulary
from mmcgan.training.bias import with_fitted_bias
from mmcgan.training.calibrate import MAX_SCORES, fit_calibration
from mmcgan.training.config import TagSource, TrainConfig
from mmcgan.training.networks import Generator, MixtureGenerator, WordTable, as_network
from mmcgan.training.noise_scale import fit_noise_scale
from mmcgan.training.prepared.dataset import Dataset
from mmcgan.training.project_words import project_words
from mmcgan.training.sampler import Examples
from mmcgan.training.synonyms import find_synonyms
from mmcgan.training.validation import Variances

VECTOR_SIZE = 640  # E of the words that a mixture learns, where there are as many photos and words


@dataclass(frozen=True)
class ModelMaker:
    """What makes models of the networks of a run, and knows the data that they learn from."""

    dataset: Dataset
    config: TrainConfig
    tags: TagSource
    vocabulary: Vocabulary
    standardizer: Standardizer
    examples: Examples

    def model(self, learners: nn.ModuleDict, facts: dict[str, Any]) -> Model:
        """Return the model of the networks as they are; they are in evaluation mode."""
        generator = cast("Generator | MixtureGenerator", learners["generator"])
        words = cast("WordTable", learners["words"])
        vocabulary, bias, outputs = self.vocabulary, None, {}
        if isinstance(generator, MixtureGenerator) and self.config.learns_spaces:
            seen = self.examples.image_features, self.examples.n_tagged
            projected = project_words(generator, words, *seen, VECTOR_SIZE)
            outputs, table, bias = projected.outputs, projected.table, projected.bias
        elif self.config.learns_words:
            table, bias = words.vectors[0].detach().cpu().numpy(), words.bias.detach().cpu().numpy()
        if bias is not None:
            vocabulary = Vocabulary(vocabulary.words, table, vocabulary.n_photos)
        network = as_network(generator, outputs)
        rule, backbone = self.config.generator.ranking, self.dataset.backbone
        return Model(network, vocabulary, bias, rule, self.standardizer, backbone, facts)

    def finished(self, learners: nn.ModuleDict, facts: dict[str, Any]) -> Model:
        """Return the model that the run leaves: with what dev says of biases, noise and scores."""
        model = self.model(learners, facts)
        # Dev says nothing of new photos where it is learnt from.
        if model.bias is not None and not self.config.run.refit:
            model = with_fitted_bias(model, *self.dev)
        model = fit_noise_scale(model, self.config.run.seed, *self.dev)
        calibration = None if self.config.run.refit else self._calibration(model)
        return replace(model, calibration=calibration, synonyms=self._synonyms())

    @cached_property
    def dev(self) -> tuple[FloatArray, sparse.csr_array]:
        """The features (M, D) and the 0/1 tags (M, V) of dev, as far as it is looked at."""
        rows = self.dataset.measured_rows("dev", len(self.vocabulary))
        tags = self.dataset.tag_matrix(self.tags, self.vocabulary.words)
        return self.dataset.features[rows], sparse.csr_array(tags[rows])

    def _calibration(self, model: Model) -> Calibration | None:
        """Return what makes probabilities of the scores on dev; None if they are cosines."""
        if not model.scores_are_probabilities:
            return None
        every_word = np.arange(len(model.vocabulary))
        n_photos = max(MAX_SCORES // len(every_word), 1)
        features, tags = self.dev
        ranked = Tagger(model, seed=self.config.run.seed).ranked(features[:n_photos])
        scores = np.concatenate([batch.scores_of(every_word)[0] for batch in ranked])
        return fit_calibration(scores, tags[:n_photos])

    def _synonyms(self) -> dict[str, str]:
        """Return the synonyms among the words, as the photos learnt from have them."""
        photos, words = self.examples.pairs.cpu().numpy().T
        shape = self.examples.n_tagged, len(self.vocabulary)
        tags = sparse.csr_array((np.ones(len(photos)), (photos, words)), shape)
        return find_synonyms(self.vocabulary, tags, self.examples.image_features)


def variety(run: ModelDir, features: FloatArray) -> dict[str, float | None]:
    """Return how much the draws of a finished run differ, for raw features (M, D).

    `distinct_words` is the mean number of different nearest words a photo, `noise_variance_share`
    the share of the variance of all draws that the noise makes, None where nothing varies.
    """
    tagger, variances, n_distinct = Tagger(read_model(run)), Variances(), []
    for _, samples in tagger.samples(features):
        variances.add(samples)
        n_distinct.append(count_distinct(Draws.of(samples, tagger.index).nearest))
    return {
        "distinct_words": float(np.concatenate(n_distinct).mean()),
        "noise_variance_share": variances.share_within(),
    }
