"""What a run trains on: a prepared file turned into examples, networks and a validation on dev."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy import sparse
from torch import nn

from mmcgan.errors import DataError
from mmcgan.inference.model import write_model
from mmcgan.inference.standardizer import Standardizer
from mmcgan.inference.tagger import Tagger
from mmcgan.inference.words.ranking import Ranking, count_distinct
from mmcgan.inference.words.vocabulary import Vocabulary, transform_words
from mmcgan.training.config import TagSource, TrainConfig
from mmcgan.training.finish import ModelMaker
from mmcgan.training.game import Examples, TagGame
from mmcgan.training.loop import Best, Validation, fit
from mmcgan.training.memory import require_memory
from mmcgan.training.neighbours import find_neighbours
from mmcgan.training.networks import build_networks
from mmcgan.training.prepared.dataset import Dataset
from mmcgan.training.prepared.feature_rows import StandardizedRows, fit_standardizer
from mmcgan.training.ranks import ALONE, Ranks
from mmcgan.training.runs import RunDir
from mmcgan.training.schedules import learning_rate
from mmcgan.training.trainer import Trainer

Score = Callable[[Ranking, sparse.csr_array], float]

COLLAPSED_WORDS = 2  # mean distinct nearest words a photo below which G has collapsed
COLLAPSED = "the generator has collapsed: nearly all samples of a photo have the same nearest word"


@dataclass(frozen=True)
class Task:
    """A prepared file seen with the settings of a run."""

    dataset: Dataset
    config: TrainConfig
    tags: TagSource
    vocabulary: Vocabulary
    standardizer: Standardizer
    game: TagGame
    trainer: Trainer

    def describe(self) -> str:
        """Say in one line what is trained on what."""
        trainer, examples = self.trainer, self.game.examples
        n_epochs = trainer.n_updates / trainer.updates_per_epoch
        first, last = (
            learning_rate(self.config, update, trainer.n_updates)
            for update in (0, trainer.n_updates)
        )
        return (
            f"training {self.config.preset} on {self.tags} tags: {len(examples.pairs)} pairs of "
            f"{examples.n_tagged} photos, {len(self.vocabulary)} words; "
            f"at most {trainer.n_updates} updates ({n_epochs:.4g} epochs), learning rate "
            f"{first:g} → {last:.4g} (seed {self.config.seed})"
        )

    def validation(self, score: Score) -> Callable[[nn.ModuleDict], Validation]:
        """Return the evaluation on dev: `score` of the ranking against the tags learnt."""
        features, relevant = self.maker.dev

        def validate(learners: nn.ModuleDict) -> Validation:
            tagger = Tagger(self.maker.model(learners, {}), seed=self.config.seed)
            rankings, n_distinct = [], []
            for draws in tagger.draws(features):  # those of all photos take too much
                rankings.append(tagger.scorer.of(draws).rank(10))
                n_distinct.append(count_distinct(draws.nearest))
            precision = score(Ranking.join(rankings), relevant)
            distinct = float(np.concatenate(n_distinct).mean())
            warning = COLLAPSED if distinct < COLLAPSED_WORDS else ""
            return Validation(precision, {"P@10": precision, "distinct_words": distinct}, warning)

        return validate

    def train(self, run: RunDir, score: Score) -> Best:
        """Train into `run`, whose settings are frozen, judged by `score` on dev; finish it.

        Of several ranks the first one does what comes after the training.
        """
        best = fit(self.trainer, self.validation(score), run, keep_last=self.config.refit)
        if self.trainer.ranks.is_first:
            self.save(run, best)
        return best

    def save(self, run: RunDir, best: Best) -> None:
        """Write the best networks as the model of `run`, which finishes it."""
        taggers = self.trainer.evaluated.eval()
        for name, state in best.networks.items():
            taggers[name].load_state_dict(state)
        examples = self.game.examples
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
            "refitted_on_dev": self.config.refit,
        }
        write_model(run, self.maker.finished(taggers, facts))
        run.finish()

    @cached_property
    def maker(self) -> ModelMaker:
        """What makes models of the networks."""
        return ModelMaker(
            self.dataset,
            self.config,
            self.tags,
            self.vocabulary,
            self.standardizer,
            self.game.examples,
        )


def build_task(
    dataset: Dataset, config: TrainConfig, tags: TagSource, ranks: Ranks = ALONE
) -> Task:
    """Build the examples and the networks for the settings of a run.

    Raises `DataError` where train or dev is empty, the vocabulary has a single word, or `tags`
    asks for annotations that the data does not have; `OptionError` where there are too few
    examples for `ranks`, or too many words for the memory.
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
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    require_memory(len(vocabulary), config, device)
    splits = ("train", "dev") if config.refit else ("train",)
    rows = np.sort(np.concatenate([dataset.rows(split) for split in splits]))
    standardizer = fit_standardizer(dataset.features, rows)
    matrix = sparse.csr_array(dataset.tag_matrix(tags, vocabulary.words)[rows])
    # Open in the paper: both networks see features and words of variance 1 a component. With words
    # of norm 1 beside such features, a generator without an output unit soon runs away.
    words = vocabulary.vectors * np.float32(np.sqrt(vocabulary.vector_size))
    untagged = dataset.untagged_rows("train") if config.untagged else rows[:0]
    seen = np.concatenate([rows, untagged])
    features = StandardizedRows(dataset.features, seen, standardizer, device)
    neighbours = None
    if len(untagged):
        neighbours = find_neighbours(features, len(rows), config.seed).to(device)
    examples = Examples(
        features,
        torch.from_numpy(words).to(device),
        torch.from_numpy(np.stack(matrix.nonzero(), axis=1).astype(np.int64)).to(device),
        neighbours,
    )
    game = _build_game(examples, vocabulary, matrix, config, ranks)
    trainer = Trainer(game, config, ranks)
    ranks.require(game.n_judged)
    return Task(dataset, config, tags, vocabulary, standardizer, game, trainer)


def _build_game(
    examples: Examples,
    vocabulary: Vocabulary,
    tags: sparse.csr_array,
    config: TrainConfig,
    ranks: Ranks,
) -> TagGame:
    n_images = tags.shape[0]
    frequency = torch.tensor((tags.sum(axis=0) + 1) / (n_images + 2), dtype=torch.float32)
    table = transform_words(vocabulary.vectors, "half-whitened" if config.retrieval else "as given")
    networks = build_networks(
        examples.image_features.shape[1], torch.from_numpy(table), frequency,
        vocabulary.vector_size, config,
    )  # fmt: skip
    generator, words, discriminator = (n.to(examples.pairs.device) for n in networks)
    return TagGame(generator, words, discriminator, examples, config, ranks)  # type: ignore[arg-type]
