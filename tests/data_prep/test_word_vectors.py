"""Word vectors: trained ones are the same every time, ready ones come in many formats."""

from __future__ import annotations

import gzip
import os
import pickle
import subprocess
import sys
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from gensim.models import KeyedVectors, Word2Vec
from gensim.models.word2vec import MAX_WORDS_IN_BATCH

from data_prep.config import PrepareConfig
from data_prep.corpus import Corpus, Counts
from data_prep.word_vectors import Vectors, read_word_vectors, skip_gram, train_word_vectors
from mmcgan.errors import DataError, OptionError

CONFIG = PrepareConfig(word_size=6, min_photos=2, word_epochs=5)
KEYS = ["Cat", "plant life", "日本", "sea"]
WORDS = ["cat", "plant_life", "sea", "unknown", "日本"]
TABLE = np.round(np.random.default_rng(0).normal(size=(4, 5)), 3).astype(np.float32)


def train(lists: Sequence[Sequence[str]], words: Sequence[str], **options: int) -> Vectors:
    settings = PrepareConfig(**(CONFIG.to_json() | options))
    return train_word_vectors(Corpus(lists, [], [], Path("unused")), words, settings)


def test_train_gives_vectors_of_the_words_that_are_frequent_enough():
    vectors = train([["cat", "pet"], ["cat", "pet", "rare"]] * 2, ["cat", "pet", "rare", "none"])
    assert vectors.keys() == {"cat", "pet", "rare"}
    assert {(v.shape, v.dtype) for v in vectors.values()} == {((6,), np.dtype(np.float32))}
    assert train([["cat", "rare"], ["cat"]], ["cat", "rare"]).keys() == {"cat"}


def test_train_takes_a_minimum_count_of_its_own():
    lists = [["cat"]] * 3 + [["dog"]] * 2
    assert train(lists, ["cat", "dog"], min_count=3).keys() == {"cat"}
    assert train(lists, ["cat", "dog"], min_photos=9, min_count=1).keys() == {"cat", "dog"}


@pytest.mark.parametrize("lists", [[], [[]], [["cat"]]])
def test_train_on_too_little_text_gives_no_vectors(lists):
    assert train(lists, ["cat"]) == {}


def test_train_puts_words_that_go_together_close_together():
    random = np.random.default_rng(0)
    topics = (["sea", "beach", "sand", "wave"], ["cat", "pet", "paw", "fur"])
    lists = [list(random.permutation(topics[i % 2])) for i in range(300)]
    vectors = train(lists, [*topics[0], *topics[1]], word_epochs=60)
    unit = {word: v / np.linalg.norm(v) for word, v in vectors.items()}
    for own, other in (topics, topics[::-1]):
        near = min(unit[own[0]] @ unit[word] for word in own[1:])
        far = max(unit[own[0]] @ unit[word] for word in other)
        assert near > far


def test_train_depends_on_the_seed():
    lists = [["cat", "pet"], ["sea", "sky"]] * 5
    one, same, other = (train(lists, ["cat"], seed=seed)["cat"] for seed in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)


def test_train_gives_the_same_vectors_in_every_process():
    script = (
        "from pathlib import Path\n"
        "from data_prep.config import PrepareConfig\n"
        "from data_prep.corpus import Corpus\n"
        "from data_prep.word_vectors import train_word_vectors\n"
        "lists = [[f'word{i % 7}', f'other{i % 5}', 'often'] for i in range(60)]\n"
        "words = sorted({word for words in lists for word in words})\n"
        "config = PrepareConfig(word_size=6, word_epochs=3)\n"
        "corpus = Corpus(lists, [], [], Path('unused'))\n"
        "vectors = train_word_vectors(corpus, words, config)\n"
        "print([(word, vectors[word].tolist()) for word in words])\n"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONHASHSEED": salt},
            stdout=subprocess.PIPE,
        )
        for salt in ("1", "2")
    ]
    outputs = [process.communicate()[0] for process in started]
    assert outputs[0].count(b"word") == 7
    assert outputs[0] == outputs[1]


def corpus_with_ties(folder: Path, kind: type[Corpus] = Corpus) -> Corpus:
    paths = [folder / "a.txt", folder / "b.txt"]
    for step, path in enumerate(paths, start=2):
        texts = (f"New York word{i * step % 23} other{-i % 5} often" for i in range(2000))
        path.write_text("\n".join(texts))
    tags = [("often", "word22"), (), ("rare", "sea"), ("other3", "sea")] * 2 + [("once",)]
    return kind(tags, paths, ["new_york"], folder / "cleaned")


def trained_on_gensims_own_count(corpus: Corpus, config: PrepareConfig) -> Vectors:
    model = skip_gram(config)
    model.build_vocab(corpus)
    model.train(corpus, total_examples=model.corpus_count, epochs=config.word_epochs)
    return {word: model.wv[word] for word in model.wv.index_to_key}


def equal(one: Vectors, other: Vectors) -> bool:
    return one.keys() == other.keys() and all(
        np.array_equal(one[word], other[word]) for word in one
    )


def test_train_on_the_stored_counts_gives_what_a_count_of_gensims_own_gives(tmp_path):
    corpus = corpus_with_ties(tmp_path)
    expected = trained_on_gensims_own_count(corpus, CONFIG)
    counts = corpus.counts().tokens
    assert len(set(counts.values())) < len(counts) / 2  # many ties
    assert counts.total() > MAX_WORDS_IN_BATCH  # the learning rate falls within a pass
    assert counts.keys() - expected.keys() == {"once"}
    assert "new_york" in expected
    assert equal(train_word_vectors(corpus, list(expected), CONFIG), expected)


def test_train_goes_by_the_order_in_which_words_of_the_same_frequency_first_occur(tmp_path):
    class Backwards(Corpus):
        def counts(self) -> Counts:
            found = super().counts()
            return Counts(found.n_documents, Counter(dict(reversed(found.tokens.items()))))

    corpus = corpus_with_ties(tmp_path, Backwards)
    expected = trained_on_gensims_own_count(corpus, CONFIG)
    assert not equal(train_word_vectors(corpus, list(expected), CONFIG), expected)


def test_train_does_not_keep_the_counts(tmp_path):
    class Watched(Corpus):
        def counts(self) -> Counts:
            found = super().counts()
            self.tokens = weakref.ref(found.tokens)
            return found

        def __iter__(self) -> Iterator[list[str]]:
            self.is_gone = self.tokens() is None
            return super().__iter__()

    corpus = corpus_with_ties(tmp_path, Watched)
    assert "sea" in train_word_vectors(corpus, ["sea"], CONFIG)
    assert corpus.is_gone


def lines(keys: Sequence[str] = KEYS, table: np.ndarray = TABLE) -> str:
    rows = zip(keys, table.tolist(), strict=True)
    return "".join(" ".join([key.replace(" ", "_"), *map(str, row)]) + "\n" for key, row in rows)


def keyed_vectors() -> KeyedVectors:
    vectors = KeyedVectors(TABLE.shape[1])
    vectors.add_vectors(KEYS, TABLE)
    return vectors


def write_text(path: Path) -> None:
    path.write_text(f"4 5\n{lines()}", encoding="utf-8")


def write_glove(path: Path) -> None:
    path.write_text(lines(), encoding="utf-8")


def write_gz(path: Path) -> None:
    path.with_name("vectors.gz").write_bytes(gzip.compress(lines().encode()))


def write_windows(path: Path) -> None:
    path.write_bytes(f"4 5\n{lines()}".replace("\n", "\r\n").encode())


def write_binary(path: Path) -> None:
    vectors = KeyedVectors(TABLE.shape[1])
    vectors.add_vectors([key.replace(" ", "_") for key in KEYS], TABLE)
    vectors.save_word2vec_format(str(path), binary=True)


@pytest.mark.parametrize("write", [write_text, write_glove, write_gz, write_windows, write_binary])
def test_read_takes_every_format(tmp_path, write: Callable[[Path], None]):
    path = tmp_path / "vectors"
    write(path)
    if write is write_gz:
        path = path.with_name("vectors.gz")
    vectors = read_word_vectors(path, WORDS)
    assert vectors.keys() == {"cat", "plant_life", "sea", "日本"}
    for key, row in zip(["cat", "plant_life", "日本", "sea"], TABLE, strict=True):
        assert vectors[key].dtype == np.float32
        assert np.allclose(vectors[key], row, atol=1e-6)


def test_read_takes_the_vectors_of_a_trained_skip_gram(tmp_path):
    model = Word2Vec([["cat", "dog"]] * 9, vector_size=3, min_count=1)
    model.wv.save_word2vec_format(str(tmp_path / "v.bin"), binary=True)
    vectors = read_word_vectors(tmp_path / "v.bin", ["cat"])
    assert np.array_equal(vectors["cat"], model.wv["cat"])


def read_lines(path: Path, text: str | bytes, words: Sequence[str] = WORDS) -> Vectors:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_word_vectors(path, words)


@pytest.mark.filterwarnings("ignore:overflow")
def test_read_leaves_out_vectors_that_are_zero_or_no_numbers(tmp_path):
    text = "cat 0 0 0\nsea nan 1 2\nsky inf 0 0\nsun 0 1e-3 0\nhuge 1e300 0 0\n"
    vectors = read_lines(tmp_path / "v.txt", text, ["cat", "sea", "sky", "sun", "huge"])
    assert vectors.keys() == {"sun"}


def test_read_takes_the_first_of_several_spellings(tmp_path):
    text = "4 2\nCat 1 0\ncat 0 1\nCAT 1 1\nCat 5 5\n"
    assert read_lines(tmp_path / "v.txt", text)["cat"].tolist() == [1, 0]


def test_read_takes_words_that_are_broken_utf_8(tmp_path):
    vectors = read_lines(tmp_path / "v.txt", b"caf\xe9 1 2\n\xff\xfe 1 2\ncat 3 4\n")
    assert vectors["cat"].tolist() == [3, 4]


def assert_refused(path: Path, *parts: str) -> None:
    with pytest.raises(DataError) as caught:
        read_word_vectors(path, WORDS)
    message = str(caught.value)
    assert message.startswith(f"--vectors: {path} is neither word2vec")
    assert "\n" not in message
    assert len(message) < 500
    assert not message.endswith("()")
    assert [part for part in parts if part not in message] == []


def test_read_says_which_file_is_missing(tmp_path):
    with pytest.raises(OptionError, match=r"--vectors: .*v\.txt is not a file"):
        read_word_vectors(tmp_path / "v.txt", [])


@pytest.mark.parametrize(
    "text",
    [
        f"4 6\n{lines()}",  # rows narrower than the first line says
        f"4 4\n{lines()}",  # rows wider
        f"4 6\n{lines()}" + "word 0.125 0.25 0.5 0.75 0.875\n" * 9,
        lines() + "word 1 2 3\n",
        lines() + "word 1 2 3 4 five\n",
        f"9 5\n{lines()}",  # fewer rows than the first line says
        "",
        "\n\n",
        "0 0\n",
        "0 5\n",
        "cat\t0.5\t0.25\t0.125\n",  # no spaces, so no numbers
        "hello world\n",
        "A photo of a cat.\nA photo of the sea.\n",
        "-4 5\ncat 1 2 3 4 5\n",
        "99999999999999 300\ncat 1 2 3\n",
        "99999999999999999999999999 300\ncat 1 2 3\n",
    ],
)
def test_read_refuses_text_that_is_no_table(tmp_path, text):
    path = tmp_path / "v.txt"
    path.write_text(text)
    assert_refused(path)


def test_read_refuses_a_truncated_binary_file(tmp_path):
    path = tmp_path / "v.bin"
    write_binary(path)
    data = path.read_bytes()
    for n_bytes in (len(data) - 3, len(data) - 25, 30, 9):
        path.write_bytes(data[:n_bytes])
        assert_refused(path)


def test_read_refuses_bytes_without_a_meaning(tmp_path):
    path = tmp_path / "v.bin"
    path.write_bytes(np.random.default_rng(0).bytes(3000))
    assert_refused(path)


@pytest.mark.parametrize("n_lost", [5, 30])
def test_read_refuses_a_truncated_gz(tmp_path, n_lost):
    path = tmp_path / "v.txt.gz"
    path.write_bytes(gzip.compress(lines().encode())[:-n_lost])
    assert_refused(path)


class Calls:
    """Calls a function with one text when it is unpickled."""

    def __init__(self, function: Callable[[str], object], text: str):
        self.function, self.text = function, text

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return self.function, (self.text,)


@pytest.mark.parametrize("function", [os.system, eval, exec])
def test_read_refuses_a_pickle_and_runs_no_code_of_it(tmp_path, function):
    mark = tmp_path / "was run"
    text = f"touch '{mark}'" if function is os.system else f"open({str(mark)!r}, 'w')"
    path = tmp_path / "v.kv"
    path.write_bytes(pickle.dumps(Calls(function, text)))
    assert_refused(path, "a pickle", "save_word2vec_format")
    assert not mark.exists()


@pytest.mark.parametrize("n_bytes", [2, 20, None])
def test_read_says_that_keyed_vectors_are_to_be_saved_in_another_format(tmp_path, n_bytes):
    path = tmp_path / "v.kv"
    keyed_vectors().save(str(path))
    path.write_bytes(path.read_bytes()[:n_bytes])
    assert_refused(path, "a pickle", "save_word2vec_format")
