"""What a run trains on: a prepared file turned into examples, networks and a validation on dev."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from torch import nn

from mmcgan.errors import DataError
from mmcgan.inference.calibration import MAX_SCORES, Calibration, fit_calibration
from mmcgan.inference.model import Model, save_model
from mmcgan.inference.tagger import Tagger
from mmcgan.inference.words.ranking import Ranking, count_distinct
from mmcgan.inference.words.vocabulary import Vocabulary, transform_words
from mmcgan.training.bias import with_fitted_bias
from mmcgan.training.config import TagSource, TrainConfig
from mmcgan.training.game import Examples, TagGame
from mmcgan.training.loop import Best, Validation, fit
from mmcgan.training.memory import require_memory
from mmcgan.training.neighbours import find_neighbours
from mmcgan.training.networks import build_networks
from mmcgan.training.noise_scale import fit_spread
from mmcgan.training.prepared.dataset import Dataset
from mmcgan.training.prepared.feature_rows import StandardizedRows, Standardizer
from mmcgan.training.project_words import condense
from mmcgan.training.ranks import ALONE, Ranks
from mmcgan.training.runs import RunDir
from mmcgan.training.schedules import learning_rate
from mmcgan.training.synonyms import find_synonyms
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
        features, relevant = self._dev

        def validate(taggers: nn.ModuleDict) -> Validation:
            rankings, n_distinct = [], []
            for ranked in self._tagger(taggers).ranked(features):  # the draws of all take too much
                rankings.append(ranked.rank(10))
                n_distinct.append(count_distinct(ranked.draws.nearest))
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
        model = self._model(taggers, facts)
        # Dev says nothing of new photos where it is learnt from.
        if model.bias is not None and not self.config.refit:
            model = with_fitted_bias(model, *self._dev)
        facts |= fit_spread(Tagger(model, seed=self.config.seed), *self._dev)
        if not self.config.refit:
            model = replace(model, calibration=self._calibration(model))
        model = replace(model, doubles=self._doubles())
        save_model(run, model, self.config)
        run.finish()

    def _calibration(self, model: Model) -> Calibration | None:
        """Return what makes probabilities of the scores on dev; None if they are cosines."""
        if model.ranking == "mean" and model.bias is None:
            return None
        every_word = np.arange(len(model.vocabulary))
        n_photos = max(MAX_SCORES // len(every_word), 1)
        features, tags = self._dev
        ranked = Tagger(model, seed=self.config.seed).ranked_to_tag(features[:n_photos])
        scores = np.concatenate([batch.scores_of(every_word)[0] for batch in ranked])
        return fit_calibration(scores, tags[:n_photos])

    def _doubles(self) -> dict[str, str]:
        """Return the doubles among the words, as the photos learnt from have them."""
        examples = self.game.examples
        photos, words = examples.pairs.cpu().numpy().T
        shape = examples.n_tagged, len(self.vocabulary)
        tags = sparse.csr_array((np.ones(len(photos)), (photos, words)), shape)
        return find_synonyms(self.vocabulary, tags, examples.image_features)

    @cached_property
    def _dev(self) -> tuple[npt.NDArray[np.float32], sparse.csr_array]:
        """Return the features (M, D) and the 0/1 tags (M, V) of dev, as far as it is looked at."""
        rows = self.dataset.measured_rows("dev", len(self.vocabulary))
        tags = self.dataset.tag_matrix(self.tags, self.vocabulary.words)
        return self.dataset.features[rows], sparse.csr_array(tags[rows])

    def _model(self, taggers: nn.ModuleDict, facts: dict[str, object]) -> Model:
        vocabulary, bias = self.vocabulary, None
        generator, words = taggers["generator"], taggers["words"]
        if self.config.learns_spaces:
            examples = self.game.examples
            seen = examples.image_features, examples.n_tagged
            generator, words = condense(generator, words, *seen, self.config)  # type: ignore[arg-type]
        if self.config.retrieval:
            table, bias = (p.detach().cpu().numpy() for p in words.parameters())
            vocabulary = Vocabulary(vocabulary.words, table[0], vocabulary.n_photos)
        return Model(
            lambda: generator,  # type: ignore[arg-type, return-value]
            vocabulary, bias, self.config.ranking, self.standardizer, self.dataset.backbone, facts,
        )  # fmt: skip

    def _tagger(self, taggers: nn.ModuleDict) -> Tagger:
        return Tagger(self._model(taggers, {}), seed=self.config.seed)


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
    standardizer = Standardizer.fit(dataset.features, rows)
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
