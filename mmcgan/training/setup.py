"""A prepared file made into what a run trains on, and trained networks into the run's model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import nn

from mmcgan.arrays import FloatArray
from mmcgan.errors import DataError
from mmcgan.inference.calibration import Calibration
from mmcgan.inference.model import Model, write_model
from mmcgan.inference.network import Standardizer
from mmcgan.inference.photos.views import stored_classes
from mmcgan.inference.tagger import Tagger
from mmcgan.inference.words.ranking import Ranking, count_distinct
from mmcgan.inference.words.rules import Rules
from mmcgan.inference.words.vocabulary import Vocabulary, transform_words
from mmcgan.training.bias import with_fitted_bias
from mmcgan.training.calibrate import MAX_SCORES, fit_calibration, fit_objects
from mmcgan.training.config import TagSource, TrainConfig
from mmcgan.training.loop import Best, Validation, fit
from mmcgan.training.memory import require_memory
from mmcgan.training.neighbours import Neighbours, find_neighbours
from mmcgan.training.networks import Networks, as_network, build_networks
from mmcgan.training.noise_scale import fit_noise_scale
from mmcgan.training.prepared.dataset import Dataset
from mmcgan.training.prepared.feature_rows import StandardizedRows, fit_standardizer
from mmcgan.training.project_words import project_words
from mmcgan.training.ranks import ALONE, Ranks
from mmcgan.training.runs import RunDir
from mmcgan.training.sampler import Examples
from mmcgan.training.schedules import learning_rate
from mmcgan.training.synonyms import find_synonyms
from mmcgan.training.tag_task import TagTask
from mmcgan.training.trainer import Trainer
from mmcgan.training.validation import mean_precision

VECTOR_SIZE = 640  # E of the words that a mixture learns, where there are as many photos and words
COLLAPSED_WORDS = 2  # mean distinct nearest words a photo below which G has collapsed
COLLAPSED = "the generator has collapsed: nearly all samples of a photo have the same nearest word"


@dataclass(frozen=True)
class Setup:
    """A prepared file seen with the settings of a run."""

    dataset: Dataset
    config: TrainConfig
    tags: TagSource
    vocabulary: Vocabulary
    standardizer: Standardizer
    task: TagTask
    trainer: Trainer

    @cached_property
    def dev(self) -> tuple[FloatArray, sparse.csr_array]:
        """The features (M, D) and the 0/1 tags (M, V) of dev, as far as it is looked at."""
        rows = self.dataset.measured_rows("dev", len(self.vocabulary))
        tags = self.dataset.tag_matrix(self.tags, self.vocabulary.words)
        return self.dataset.features_of(rows), sparse.csr_array(tags[rows])

    def describe(self) -> str:
        """Say in one line what is trained on what."""
        trainer, examples, run = self.trainer, self.task.examples, self.config.run
        n_epochs = trainer.n_updates / trainer.updates_per_epoch
        first, last = (
            learning_rate(self.config.optimiser, update, trainer.n_updates)
            for update in (0, trainer.n_updates)
        )
        return (
            f"training {run.preset} on {self.tags} tags: {len(examples.pairs)} pairs of "
            f"{examples.n_tagged} photos, {len(self.vocabulary)} words; "
            f"at most {trainer.n_updates} updates ({n_epochs:.4g} epochs), learning rate "
            f"{first:g} → {last:.4g} (seed {run.seed})"
        )

    def validate(self, learners: nn.ModuleDict) -> Validation:
        """Return the precision on dev of networks in training, by the tags that are learnt."""
        features, relevant = self.dev
        tagger = Tagger(self.model(learners, {}), seed=self.config.run.seed)
        rankings, n_distinct = [], []
        for draws in tagger.draws(features):  # those of all photos take too much
            rankings.append(tagger.scorer.of(draws).rank(10))
            n_distinct.append(count_distinct(draws.nearest))
        precision = mean_precision(Ranking.join(rankings), relevant)
        distinct = float(np.concatenate(n_distinct).mean())
        warning = COLLAPSED if distinct < COLLAPSED_WORDS else ""
        return Validation(precision, {"P@10": precision, "distinct_words": distinct}, warning)

    def train(self, run: RunDir) -> Best:
        """Train into `run`, whose settings are frozen; choose by P@10 on dev; finish it.

        Of several ranks the first one does what comes after the training.
        """
        best = fit(self.trainer, self.validate, run, keep_last=self.config.run.refit)
        if self.trainer.ranks.is_first:
            self.finish(run, best)
        return best

    def finish(self, run: RunDir, best: Best) -> None:
        """Write the best networks as the model of `run`, which finishes it."""
        learners, examples = self.trainer.evaluated.eval(), self.task.examples
        for name, state in best.networks.items():
            learners[name].load_state_dict(state)
        facts = {
            "dataset": self.dataset.name,
            "dataset_id": self.dataset.dataset_id,
            "tags": self.tags,
            "n_photos": examples.n_tagged,
            "n_untagged_photos": len(examples.image_features) - examples.n_tagged,
            "n_pairs": len(examples.pairs),
            "n_updates": self.trainer.update,
            "epochs": self.trainer.epoch,
            "best_update": best.update,
            "best_dev_P@10": best.score,
            "refitted_on_dev": self.config.run.refit,
            "precision": self.config.optimiser.precision,
        }
        write_model(run, self.finished_model(learners, facts))
        run.finish()

    def model(self, learners: nn.ModuleDict, facts: dict[str, Any]) -> Model:
        """Return the model of the networks as they are; they are in evaluation mode."""
        generator: Any = learners["generator"]
        words: Any = learners["words"]
        vocabulary, bias, outputs = self.vocabulary, None, dict[str, FloatArray]()
        if self.config.learns_spaces:
            seen = self.task.examples.image_features, self.task.examples.n_tagged
            outputs, table, bias = project_words(generator, words, *seen, VECTOR_SIZE)
        elif self.config.learns_words:
            table, bias = (t.detach().cpu().numpy() for t in (words.vectors[0], words.bias))
        if bias is not None:
            vocabulary = Vocabulary(vocabulary.words, table, vocabulary.n_photos)
        network = as_network(generator, outputs)
        rule, backbone = self.config.generator.ranking, self.dataset.backbone
        return Model(network, vocabulary, bias, rule, self.standardizer, backbone, facts)

    def finished_model(self, learners: nn.ModuleDict, facts: dict[str, Any]) -> Model:
        """Return the model that the run leaves: with what dev says of biases, noise and scores."""
        model = self.model(learners, facts)
        # Dev says nothing of new photos where it is learnt from.
        if model.bias is not None and not self.config.run.refit:
            model = with_fitted_bias(model, *self.dev)
        model = fit_noise_scale(model, self.config.run.seed, *self.dev)
        calibration = None if self.config.run.refit else self._calibration(model)
        model = replace(model, calibration=calibration, rules=Rules(self._synonyms()))
        return replace(model, objects=self._objects() if calibration else None)

    def _objects(self) -> Calibration | None:
        """Return what makes probabilities of the classes that dev's features hold, if they do."""
        features, tags = self.dev
        classes = stored_classes(self.dataset.backbone, features)
        return None if classes is None else fit_objects(self.vocabulary.words, classes, tags)

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
        photos, words = self.task.examples.pairs.cpu().numpy().T
        shape = self.task.examples.n_tagged, len(self.vocabulary)
        tags = sparse.csr_array((np.ones(len(photos)), (photos, words)), shape)
        return find_synonyms(self.vocabulary, tags, self.task.examples.image_features)


def build_setup(
    dataset: Dataset, config: TrainConfig, tags: TagSource, ranks: Ranks = ALONE
) -> Setup:
    """Build the examples and the networks for the settings of a run.

    Raises `DataError` where train or dev is empty, the vocabulary has a single word, or `tags`
    asks for annotations that the data does not have; `OptionError` where there are too few
    examples for `ranks`, or too many words for the memory.
    """
    vocabulary = _vocabulary(dataset, tags)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    require_memory(len(vocabulary), config, device)
    splits = ("train", "dev") if config.run.refit else ("train",)
    rows = np.sort(np.concatenate([dataset.rows(split) for split in splits]))
    standardizer = fit_standardizer(dataset.features, rows)
    matrix = sparse.csr_array(dataset.tag_matrix(tags, vocabulary.words)[rows])
    untagged = dataset.untagged_rows("train") if config.objective.untagged else rows[:0]
    seen = np.concatenate([rows, untagged])
    features = StandardizedRows(dataset.features, seen, standardizer, device)
    neighbours = None
    if len(untagged):
        found = find_neighbours(features, len(rows), config.run.seed)
        neighbours = Neighbours(*(part.to(device) for part in found))
    pairs = np.stack(matrix.nonzero(), axis=1).astype(np.int64)
    vectors = _discriminated_vectors(vocabulary).to(device)
    examples = Examples(features, vectors, torch.from_numpy(pairs).to(device), neighbours)
    task = TagTask(_networks(examples, vocabulary, matrix, config), examples, config)
    trainer = Trainer(task, config, ranks)
    return Setup(dataset, config, tags, vocabulary, standardizer, task, trainer)


def _vocabulary(dataset: Dataset, tags: TagSource) -> Vocabulary:
    """Return the words to learn. Raises `DataError` where `dataset` cannot be learnt from."""
    dataset.require("train", "dev")
    if tags not in dataset.vocabularies:
        raise DataError(f"the data {dataset.name} has no annotations; use --tags user")
    vocabulary = dataset.vocabularies[tags]
    if len(vocabulary) < 2:
        raise DataError(
            f"the vocabulary of {dataset.name} is the one word {vocabulary.words[0]!r}; tagging "
            "takes at least 2, lower --min-photos when preparing"
        )
    return vocabulary


def _discriminated_vectors(vocabulary: Vocabulary) -> torch.Tensor:
    """Return the word vectors (V, E) as the discriminator sees them.

    Open in the paper: both networks see features and words of variance 1 a component. With words
    of norm 1 beside such features, a generator without an output unit soon runs away.
    """
    scale = np.float32(np.sqrt(vocabulary.vector_size))
    return torch.from_numpy(vocabulary.vectors * scale)


def _networks(
    examples: Examples, vocabulary: Vocabulary, tags: sparse.csr_array, config: TrainConfig
) -> Networks:
    n_images = tags.shape[0]
    frequency = torch.tensor((tags.sum(axis=0) + 1) / (n_images + 2), dtype=torch.float32)
    how = "half-whitened" if config.learns_words else "as given"
    table = torch.from_numpy(transform_words(vocabulary.vectors, how))
    feature_size = examples.image_features.shape[1]
    networks = build_networks(feature_size, table, frequency, vocabulary.vector_size, config)
    for network in networks:
        network.to(examples.pairs.device)
    return networks
