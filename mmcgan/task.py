"""What a run trains on: a prepared file turned into examples, networks and a validation on dev."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse

from mmcgan.config import TagSource, TrainConfig
from mmcgan.dataset import Dataset
from mmcgan.errors import DataError
from mmcgan.model import Model, Standardizer, save_model
from mmcgan.networks import Generator, build_networks
from mmcgan.ranking import Ranking
from mmcgan.runs import RunDir
from mmcgan.tagger import Tagger
from mmcgan.trainer import Best, Examples, Trainer, Validation, learning_rate
from mmcgan.vocabulary import Vocabulary

Score = Callable[[Ranking, sparse.csr_array], float]


@dataclass(frozen=True)
class Task:
    """A prepared file seen with the settings of a run."""

    dataset: Dataset
    config: TrainConfig
    tags: TagSource
    vocabulary: Vocabulary
    standardizer: Standardizer
    trainer: Trainer

    def describe(self) -> str:
        """Say in one line what is trained on what."""
        trainer, examples = self.trainer, self.trainer.examples
        n_epochs = trainer.n_updates / trainer.updates_per_epoch
        return (
            f"training {self.config.preset} on {self.tags} tags: {len(examples.pairs)} pairs of "
            f"{len(examples.image_features)} photos, {len(self.vocabulary)} words; "
            f"at most {trainer.n_updates} updates ({n_epochs:.4g} epochs), learning rate "
            f"{learning_rate(self.config, 0):g} → "
            f"{learning_rate(self.config, trainer.n_updates):.4g} (seed {self.config.seed})"
        )

    def validation(self, score: Score) -> Callable[[Generator], Validation]:
        """Return the evaluation on dev: `score` of the ranking against the tags learnt."""
        rows = self.dataset.rows("dev")
        features = self.dataset.features[rows]
        relevant = self.dataset.tag_matrix(self.tags, self.vocabulary.words)[rows]

        def validate(generator: Generator) -> Validation:
            votes = list(self._tagger(generator).votes(features))
            ranking = Ranking.join([v.rank(10) for v in votes])
            precision = score(ranking, relevant)
            distinct = float(np.concatenate([v.n_distinct() for v in votes]).mean())
            return Validation(precision, {"P@10": precision, "distinct_words": distinct})

        return validate

    def save(self, run: RunDir, best: Best) -> None:
        """Write the best networks as the model of `run`, which finishes it."""
        facts = {
            "dataset": self.dataset.name,
            "dataset_id": self.dataset.dataset_id,
            "tags": self.tags,
            "n_photos": len(self.trainer.examples.image_features),
            "n_pairs": len(self.trainer.examples.pairs),
            "n_updates": self.trainer.update,
            "epochs": self.trainer.epoch,
            "best_update": best.update,
            "best_dev_P@10": best.score,
            "refitted_on_dev": False,
        }
        save_model(run, self._model(self.trainer.generator, facts), self.config, best.networks)
        run.finish()

    def _model(self, generator: Generator, facts: dict[str, object]) -> Model:
        backbone = self.dataset.backbone
        return Model(generator, self.vocabulary, self.standardizer, backbone, facts)

    def _tagger(self, generator: Generator) -> Tagger:
        return Tagger(self._model(generator, {}), seed=self.config.seed)


def build_task(dataset: Dataset, config: TrainConfig, tags: TagSource) -> Task:
    """Build the examples and the networks for the settings of a run.

    Raises `DataError` where train or dev is empty, the vocabulary has a single word, or `tags`
    asks for annotations that the data does not have.
    """
    dataset.require("train", "dev")
    if tags not in dataset.vocabularies:
        raise DataError(f"the data {dataset.name} has no annotations; use --tags user")
    vocabulary = dataset.vocabularies[tags]
    if len(vocabulary) < 2:
        raise DataError(
            f"the vocabulary of {dataset.name} is the one word {vocabulary.words[0]!r}; tagging "
            "takes at least 2, lower --min-photos when preparing"
        )
    rows = dataset.rows("train")
    standardizer = Standardizer.fit(dataset.features[rows])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    pairs = np.stack(dataset.tag_matrix(tags, vocabulary.words)[rows].nonzero(), axis=1)
    # Open in the paper: both networks see features and words of variance 1 a component. With words
    # of norm 1 beside such features, a generator without an output unit soon runs away.
    words = vocabulary.vectors * np.float32(np.sqrt(vocabulary.vector_size))
    examples = Examples(
        torch.from_numpy(standardizer(dataset.features[rows])).to(device),
        torch.from_numpy(words).to(device),
        torch.from_numpy(pairs.astype(np.int64)).to(device),
    )
    generator, discriminator = build_networks(dataset.feature_size, vocabulary.vector_size, config)
    trainer = Trainer(generator.to(device), discriminator.to(device), examples, config)
    return Task(dataset, config, tags, vocabulary, standardizer, trainer)
