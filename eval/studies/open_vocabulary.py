"""python -m eval.studies.open_vocabulary: tags that no photo showed a run, by their vectors.

For a run of the preset `modern` on data prepared with --withhold. The dictionary is the V seen and
the U withheld words. Every word, seen or not, enters the run's table by a map of its given vector
(`eval.studies.word_map`); a seen word has its own bias, a withheld one their mean. Photos are
those of the split that carry any of the words, also those that carry withheld ones alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import click
import numpy as np
from scipy import sparse
from scipy.special import expit
from tqdm import tqdm

from eval.baselines.fitting import regression_tries
from eval.baselines.perceptrons import mlp_tries
from eval.baselines.scoring import Score
from eval.baselines.tuning import Baseline, FitData, Try, choose
from eval.evaluation import check_same_data
from eval.figures.bootstrap import resample_counts
from eval.figures.metrics import MIAP_DEPTH
from eval.setting import Setting
from eval.studies.comparison import DATA_HELP, interval, learnt_by, markdown_table, write_results
from eval.studies.unseen import MEASURES, Answers, chance_values, figures_of, values_of
from eval.studies.word_map import WordMap, fit_word_map
from mmcgan.arrays import FloatArray, IntArray
from mmcgan.cli import config_options, given, run_command, say
from mmcgan.errors import DataError, RunError
from mmcgan.inference.model_dir import newest_finished_run
from mmcgan.inference.tagger import Tagger
from mmcgan.inference.words.index import WordIndex
from mmcgan.inference.words.ranking import Draws, Ranking, rank_scores
from mmcgan.inference.words.vocabulary import Vocabulary, unit_rows
from mmcgan.options import Config, option
from mmcgan.training.prepared.dataset import SPLITS, Dataset, newest_data, read_dataset

WITHHELD = "withheld"  # the vocabulary of the prepared file
SEED = 0  # of the folds of the map, the baselines and the bootstrap
CONSE_TRIES = (1, 5, 10, 50, None)  # best seen words that are combined; None is all
SYSTEMS = {
    "cgan": "The run, with every word put into its table by the kernel ridge map.",
    "regression": "Ridge regression to the mean word vector of a photo's tags, then the nearest "
    "words; space and penalty chosen on dev.",
    "conse": "ConSE (Norouzi et al. 2014): the convex combination of the vectors of the MLP's T "
    "most probable seen words, then the nearest words; T chosen on dev.",
    "frequency": "Tags by the number of photos of train + dev that carried them before any was "
    "withheld, which no system here can know.",
    "chance": "Words in random order, in expectation.",
}


@dataclass(frozen=True)
class OpenVocabularyConfig(Config):
    """`python -m eval.studies.open_vocabulary`."""

    run: Path | None = option(None, "Run folder; the newest finished one under runs/.")
    data: Path | None = option(None, DATA_HELP)
    split: Literal["val", "test"] = option("val", "The split to measure.")
    out: Path = option(Path("open-vocabulary"), "Folder of the table.")


@dataclass(frozen=True)
class Words:
    """The V seen and the U withheld words of some data; together they are V + U, seen first."""

    seen: Vocabulary
    withheld: Vocabulary

    @cached_property
    def all(self) -> tuple[str, ...]:
        """The V + U words."""
        return self.seen.words + self.withheld.words

    @cached_property
    def vectors(self) -> FloatArray:
        """(V + U, E): the given vectors, unit rows."""
        return np.concatenate([self.seen.vectors, self.withheld.vectors])

    @cached_property
    def n_photos(self) -> FloatArray:
        """(V + U,): how many photos of train + dev carried each word before any was withheld."""
        counts = np.concatenate([self.seen.n_photos, self.withheld.n_photos])
        return counts.astype(np.float32)


@click.command("eval.studies.open_vocabulary")
@config_options(OpenVocabularyConfig)
def main(**options: Any) -> None:
    """Measure how a run and its baselines tag with words that no photo has shown them."""
    config = OpenVocabularyConfig(**given(options))
    run, data_dir = config.run or newest_finished_run(), config.data or newest_data()
    say(f"run: {run}, data: {data_dir}, split: {config.split} → {config.out}")
    results = measure(Tagger.load(run), read_dataset(data_dir), config.split)
    write_results(config.out, f"open-vocabulary-{config.split}", results, as_markdown(results))


def measure(tagger: Tagger, dataset: Dataset, split: str) -> dict[str, Any]:
    """Return the results for the photos of a split; see the module's docstring.

    Raises `DataError` or `RunError` where the data or the run cannot be measured so.
    """
    words = check_inputs(tagger, dataset, split)
    rows, relevant = photos_of(dataset, split, words)
    setting = Setting(dataset, split, "user", words.seen)
    learnt = learnt_by(tagger, setting, SEED)
    word_map = map_words(tagger, dataset.features_of(setting.measured_rows("dev")), words)
    baselines, tuning = fit_baselines(learnt, words)
    raw, n_seen = dataset.features_of(rows), len(words.seen)
    features = tagger.model.standardizer(raw)
    answers = {"cgan": ask_run(tagger, word_map, words, raw)}
    answers |= {r.name: rank_words(r.score(features), n_seen) for r in baselines}
    answers["frequency"] = rank_words(np.tile(words.n_photos, (len(rows), 1)), n_seen)
    values = {name: values_of(a, relevant, n_seen) for name, a in answers.items()}
    values["chance"] = chance_values(relevant, n_seen)
    counts = resample_counts(len(rows), SEED)
    return {
        "data": {"name": dataset.name, "dataset_id": dataset.dataset_id},
        "split": split,
        "n_words": {"seen": n_seen, "withheld": len(words.withheld)},
        "n_photos": count_photos(relevant, n_seen),
        "map": {"chosen": word_map.settings, "stretch": word_map.stretch, "tried": word_map.tried},
        "tuning": tuning,
        "measures": MEASURES,
        "descriptions": SYSTEMS,
        "systems": {name: figures_of(v, counts) for name, v in values.items()},
    }


def check_inputs(tagger: Tagger, dataset: Dataset, split: str) -> Words:
    """Return the words. Raises `DataError` or `RunError` where data or run do not fit the study."""
    if WITHHELD not in dataset.vocabularies:
        raise DataError(
            f"no words are withheld from {dataset.name}; prepare data with --withhold 0.1 and "
            "--corpus or --vectors, and train a run on them"
        )
    check_same_data(tagger, dataset)
    if tagger.model.bias is None:
        raise RunError(
            "the run learnt no table of words that others could be put into, as one of the preset "
            "paper does not; train one with --preset modern"
        )
    dataset.require("train", "dev", split)
    return Words(dataset.vocabularies["user"], dataset.vocabularies[WITHHELD])


def photos_of(dataset: Dataset, split: str, words: Words) -> tuple[IntArray, sparse.csr_array]:
    """Return the rows (N,) of the photos of a split with any of the words, and these (N, V + U).

    Raises `DataError` if none of them carries a withheld word.
    """
    tags = dataset.tag_matrix("user", words.all)
    in_split = dataset.split == SPLITS.index(split)
    rows = np.flatnonzero(in_split & (np.diff(tags.indptr) > 0))
    relevant = sparse.csr_array(tags[rows])
    if not relevant[:, len(words.seen) :].nnz:
        raise DataError(
            f"no photo of the split {split} of {dataset.name} carries one of the "
            f"{len(words.withheld)} withheld words; prepare with a higher --withhold"
        )
    return rows, relevant


def count_photos(relevant: sparse.csr_array, n_seen: int) -> dict[str, int]:
    """Return how many photos carry a word of each kind."""
    kinds = {"seen": relevant[:, :n_seen], "withheld": relevant[:, n_seen:]}
    with_kind = {f"with a {n} word": int((part.sum(axis=1) > 0).sum()) for n, part in kinds.items()}
    return {"all": relevant.shape[0], **with_kind}


def map_words(tagger: Tagger, dev_features: FloatArray, words: Words) -> WordMap:
    """Fit the map from given to learnt vectors on the seen words and raw features (M, D) of dev."""
    draws = [samples.mean(axis=1) for _, samples in tagger.samples(dev_features)]
    learnt = tagger.model.vocabulary.vectors
    return fit_word_map(words.seen.vectors, learnt, np.concatenate(draws), SEED)


def ask_run(tagger: Tagger, word_map: WordMap, words: Words, features: FloatArray) -> Answers:
    """Let the run rank the words for raw features (N, D), by the mean of its draws."""
    own = tagger.model.bias
    assert own is not None  # `check_inputs`
    n_seen = len(words.seen)
    seen, withheld = words.seen.vectors, words.withheld.vectors
    table = np.concatenate([word_map.apply(seen), word_map.apply_new(withheld)])
    bias = np.concatenate([own, np.full(len(words.withheld), own.mean(), np.float32)])
    indexes = WordIndex(table[n_seen:], bias[n_seen:]), WordIndex(table, bias)
    ranked: tuple[list[Ranking], list[Ranking]] = ([], [])
    with tqdm(desc="cgan", total=len(features), unit="photo", disable=None) as bar:
        for batch, samples in tagger.samples(features):
            for index, parts in zip(indexes, ranked, strict=True):
                parts.append(Draws.of(samples, index).means.rank(MIAP_DEPTH))
            bar.update(batch.stop - batch.start)
    return Answers(*(Ranking.join(parts) for parts in ranked))


def rank_words(scores: FloatArray, n_seen: int) -> Answers:
    """Rank the words by their scores (N, V + U)."""
    return Answers(rank_scores(scores[:, n_seen:], MIAP_DEPTH), rank_scores(scores, MIAP_DEPTH))


def fit_baselines(learnt: FitData, words: Words) -> tuple[list[Baseline], dict[str, Any]]:
    """Fit and tune regression and conse, which score all V + U words, and the MLP behind conse.

    `learnt` is of the seen words. Returns the first two, and how all three were tuned.
    """
    mlp = choose("mlp", mlp_tries(learnt), learnt)
    baselines = [
        choose_on_seen("regression", regression_tries(with_withheld(learnt, words)), learnt),
        choose_on_seen("conse", conse_tries(mlp.score, words), learnt),
    ]
    return baselines, {baseline.name: baseline.tuning for baseline in (mlp, *baselines)}


def with_withheld(learnt: FitData, words: Words) -> FitData:
    """Add the withheld words to the vocabulary of the photos, none of which carries them."""
    train, dev = (_widened(t, len(words.all)) for t in (learnt.train_tags, learnt.dev_tags))
    return replace(learnt, train_tags=train, dev_tags=dev, word_vectors=words.vectors)


def _widened(tags: sparse.csr_array, n_words: int) -> sparse.csr_array:
    parts = tags.data, tags.indices, tags.indptr
    return sparse.csr_array(parts, shape=(tags.shape[0], n_words))


def choose_on_seen(name: str, tries: Iterator[Try], learnt: FitData) -> Baseline:
    """Return the try whose ranking of the seen words has the best P@10 on dev, the first of equal.

    The tries score V + U words, seen first; `learnt` is of the V seen ones.
    """
    n_seen, all_tries = len(learnt.word_vectors), list(tries)
    on_seen = (replace(t, score=partial(_first_columns, t.score, n_seen)) for t in all_tries)
    tuning = choose(name, on_seen, learnt).tuning
    best = next(t for t in all_tries if t.params == tuning["chosen"])
    return Baseline(name, tuning, best.score)


def _first_columns(score: Score, n_columns: int, features: FloatArray) -> FloatArray:
    return score(features)[:, :n_columns]


def conse_tries(mlp: Score, words: Words) -> Iterator[Try]:
    """ConSE (Norouzi et al., "Zero-shot learning by convex combination of semantic embeddings").

    `mlp` gives the logits (N, V) of the seen words.
    """
    for n_best in CONSE_TRIES:
        yield Try({"n_words": n_best or "all"}, partial(_conse, mlp, words, n_best))


def _conse(mlp: Score, words: Words, n_best: int | None, features: FloatArray) -> FloatArray:
    """Return the cosines (N, V + U) of all words with Σ_t p_t w_t over the T best seen words.

    A convex combination would be divided by Σ_t p_t, which does not change a cosine.
    """
    probability = expit(mlp(features))
    n_left_out = max(probability.shape[1] - (n_best or probability.shape[1]), 0)
    left_out = np.argsort(probability, axis=1, kind="stable")[:, :n_left_out]
    np.put_along_axis(probability, left_out, 0, axis=1)
    return unit_rows(probability @ words.seen.vectors) @ words.vectors.T


def as_markdown(results: Mapping[str, Any]) -> str:
    """Return the results as GitHub Markdown."""
    n_words, n_photos = results["n_words"], results["n_photos"]
    rows = {
        name: [interval(figures.get(measure), 4) for measure in MEASURES]
        for name, figures in results["systems"].items()
    }
    notes = [f"- {name}: {text}\n" for name, text in (MEASURES | SYSTEMS).items()]
    return (
        f"{n_words['seen']} seen and {n_words['withheld']} withheld words; measured on "
        f"{n_photos['all']} photos of {results['split']}, {n_photos['with a withheld word']} of "
        "them with a withheld word.\n\n" + markdown_table(list(MEASURES), rows) + "\n"
    ) + "".join(notes)


if __name__ == "__main__":
    sys.exit(run_command(main))
