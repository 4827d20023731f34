"""Text → token lists: tags first, then the lines of files of every kind."""

from __future__ import annotations

import bz2
import gzip
import itertools
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from gensim.models import Word2Vec

from data_prep import corpus as corpus_module
from data_prep import documents as documents_module
from data_prep.corpus import Corpus, Counts
from data_prep.documents import tokenize
from mmcgan.errors import DataError, OptionError

TEXT = "A cat, on the Beach!\n\nRailway station at night\n"
TOKENS = [["a", "cat", "on", "the", "beach"], ["railway", "station", "at", "night"]]


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def documents(*paths: Path, phrases: tuple[str, ...] = ()) -> list[list[str]]:
    return list(Corpus([], paths, phrases, paths[0].parent / "cleaned"))


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The CAT's hat", ["the", "cat's", "hat"]),
        ("black-and-white -- photo", ["black-and-white", "photo"]),
        ("snake_case, 2 words.", ["snake", "case", "2", "words"]),
        ("Straße à l’été", ["strasse", "à", "l’été"]),
        ("日本 東京", ["日本", "東京"]),
        ("one\x00two", ["one", "two"]),
        ("... !? ", []),
        ("", []),
    ],
)
def test_tokenize_gives_words_spelt_like_tags(text, tokens):
    assert tokenize(text) == tokens


def test_corpus_is_the_tags_then_the_lines_any_number_of_times(tmp_path):
    files = [write(tmp_path / "a.txt", TEXT.encode()), write(tmp_path / "b.txt", b"the end")]
    corpus = Corpus([("sea", "plant_life"), ("cat",)], files, ["plant_life"], tmp_path)
    expected = [["sea", "plant_life"], ["cat"], *TOKENS, ["the", "end"]]
    assert list(corpus) == expected
    assert list(corpus) == expected


@pytest.mark.parametrize(
    ("name", "pack"), [("t.txt", bytes), ("t.gz", gzip.compress), ("t.txt.bz2", bz2.compress)]
)
def test_corpus_reads_plain_and_compressed_files(tmp_path, name, pack):
    assert documents(write(tmp_path / name, pack(TEXT.encode()))) == TOKENS


def test_corpus_joins_known_phrases_longest_first(tmp_path):
    text = b"a new york city street in new york, old york city\nplant life\nnew\nnew york city\n"
    path = write(tmp_path / "t.txt", text)
    phrases = ("new_york", "new_york_city", "plant_life", "cat", "york_city")
    assert documents(path, phrases=phrases) == [
        ["a", "new_york_city", "street", "in", "new_york", "old", "york_city"],
        ["plant_life"],
        ["new"],
        ["new_york_city"],
    ]


def test_corpus_reads_broken_text_as_far_as_it_goes(tmp_path):
    latin = write(tmp_path / "latin.txt", "caf\xe9 noir\nsea\n".encode("latin-1"))
    assert documents(latin) == [["caf", "noir"], ["sea"]]
    binary = write(tmp_path / "nul.txt", b"cat\x00dog\x01\xff\xfe sea\n\x00\x00\n")
    assert documents(binary) == [["cat", "dog", "sea"]]


def test_corpus_of_an_empty_file_is_empty(tmp_path):
    assert documents(write(tmp_path / "a.txt", b"")) == []
    assert documents(write(tmp_path / "a.gz", gzip.compress(b""))) == []


def test_corpus_cuts_endless_lines_into_documents(tmp_path, monkeypatch):
    monkeypatch.setattr(documents_module, "MAX_LINE_LENGTH", 8)
    path = write(tmp_path / "t.txt", b"cat dog sea sky\nsun\n")
    assert documents(path) == [["cat", "dog"], ["sea", "sky"], ["sun"]]


def test_corpus_holds_no_more_than_a_piece_of_an_endless_line(tmp_path):
    n_words = 50_000
    path = write(tmp_path / "t.txt.gz", gzip.compress((b"x" * 79 + b" ") * n_words))
    lengths = [len(tokens) for tokens in documents(path)]
    assert sum(lengths) == n_words
    assert max(lengths) == documents_module.MAX_LINE_LENGTH // 80


def test_corpus_says_which_file_is_missing_before_it_is_read(tmp_path):
    for path in (tmp_path / "missing.txt", tmp_path):
        with pytest.raises(OptionError, match=r"--corpus: .* is not a file") as caught:
            Corpus([], [path], [], tmp_path)
        assert str(path) in str(caught.value)


def spoilt(data: bytes) -> bytes:
    """The data with a piece of its middle overwritten."""
    return data[:40] + b"\xff" * 40 + data[80:]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("cut.gz", gzip.compress(TEXT.encode() * 50, mtime=0)[:-20]),
        ("cut.bz2", bz2.compress(TEXT.encode() * 50)[:-20]),
        ("spoilt.gz", spoilt(gzip.compress(bytes(range(256)) * 9, mtime=0))),
        ("spoilt.bz2", spoilt(bz2.compress(bytes(range(256)) * 9))),
        ("not.gz", b"plain text"),
        ("not.bz2", b"plain text"),
    ],
)
def test_corpus_refuses_what_cannot_be_unpacked(tmp_path, name, data):
    path = write(tmp_path / name, data)
    with pytest.raises(DataError, match=f"--corpus: .*{name} cannot be read") as caught:
        list(Corpus([], [path], [], tmp_path))
    assert "\n" not in str(caught.value)


def test_text_file_is_cleaned_once_and_again_when_it_or_the_phrases_change(tmp_path):
    path, folder = write(tmp_path / "t.txt", TEXT.encode()), tmp_path / "cleaned"
    corpus = Corpus([], [path], [], folder)
    assert list(corpus) == TOKENS
    (cleaned,) = folder.glob("*.txt")
    cleaned.write_text("from the cleaned file\n")
    assert list(corpus) == [["from", "the", "cleaned", "file"]]
    assert corpus.counts() == Counts.of(TOKENS)
    assert list(Corpus([], [path], ["cat", "one"], folder)) == list(corpus)  # no phrases
    assert list(Corpus([], [path], ["railway_station"], folder))[1][0] == "railway_station"
    write(path, TEXT.encode() + b"new\n")
    assert list(corpus) == [*TOKENS, ["new"]]
    assert corpus.counts() == Counts.of([*TOKENS, ["new"]])


def test_cleaned_file_of_an_earlier_version_is_made_again(tmp_path, monkeypatch):
    path, folder = write(tmp_path / "t.txt", TEXT.encode()), tmp_path / "cleaned"
    with monkeypatch.context() as earlier:
        earlier.setattr(corpus_module, "VERSION", 1)
        list(Corpus([], [path], [], folder))
    for counts in folder.glob("*.counts"):  # there were none
        counts.unlink()
    assert Corpus([], [path], [], folder).counts() == Counts.of(TOKENS)


@pytest.mark.parametrize("use", [list, Corpus.counts])
def test_interrupted_call_goes_on_with_the_next_text_file(tmp_path, monkeypatch, use):
    paths = [write(tmp_path / name, TEXT.encode()) for name in ("a.txt", "b.txt")]
    corpus = Corpus([("sea",)], paths, [], tmp_path / "cleaned")
    read = []

    def interrupted(path, *arguments):
        read.append(path.name)
        if read == ["a.txt", "b.txt"]:
            raise KeyboardInterrupt
        return clean_file(path, *arguments)

    clean_file = corpus_module.clean_file
    monkeypatch.setattr(corpus_module, "clean_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        use(corpus)
    assert corpus.counts() == corpus.counts() == Counts.of([["sea"], *TOKENS, *TOKENS])
    assert list(corpus) == [["sea"], *TOKENS, *TOKENS]
    assert read == ["a.txt", "b.txt", "b.txt"]


def test_killed_call_leaves_neither_text_nor_counts_and_the_next_one_counts_once(tmp_path):
    n_lines = 3 * documents_module.BATCH_LINES
    path = write(tmp_path / "t.txt", b"".join(b"cat %d\n" % i for i in range(n_lines)))
    script = (
        "import itertools, os, signal, sys\n"
        "from pathlib import Path\n"
        "from data_prep import corpus\n"
        "def read_two_batches(path, read=corpus.read_batches):\n"
        "    yield from itertools.islice(read(path), 2)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "corpus.read_batches = read_two_batches\n"
        "os.sched_getaffinity = lambda pid: {0}\n"
        "corpus.Corpus([], [Path(sys.argv[1])], [], Path(sys.argv[2])).counts()\n"
    )
    folder = tmp_path / "cleaned"
    ended = subprocess.run([sys.executable, "-c", script, str(path), str(folder)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert [file.suffix for file in folder.iterdir()] == [".partial"]
    counts = Corpus([], [path], [], folder).counts()
    assert counts == Counts.of([["cat", str(i)] for i in range(n_lines)])
    assert {file.suffix for file in folder.iterdir()} == {".txt", ".counts", ".json"}


def test_cleaned_file_does_not_appear_before_what_lies_beside_it(tmp_path, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    path, folder = write(tmp_path / "t.txt", TEXT.encode()), tmp_path / "cleaned"
    for place, name in ((Counts, "write"), (corpus_module, "write_json")):
        with monkeypatch.context() as broken:
            broken.setattr(place, name, interrupted)
            with pytest.raises(KeyboardInterrupt):
                documents(path)
        assert list(folder.glob("*.txt")) == []
    assert Corpus([], [path], [], folder).counts() == Counts.of(TOKENS)


def test_text_file_that_breaks_off_leaves_no_cleaned_file(tmp_path):
    path = write(tmp_path / "cut.gz", gzip.compress(TEXT.encode() * 20_000)[:-20])
    with pytest.raises(DataError, match=r"cut\.gz cannot be read"):
        documents(path)
    assert list((tmp_path / "cleaned").iterdir()) == []


def test_many_lines_are_cleaned_by_several_processes_in_their_order(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus_module.os, "sched_getaffinity", lambda pid: {0, 1})
    n_lines = 3 * documents_module.BATCH_LINES
    path = write(tmp_path / "t.txt", b"".join(b"new york %d\n" % i for i in range(n_lines)))
    expected = [["new_york", str(i)] for i in range(n_lines)]
    assert documents(path, phrases=("new_york",)) == expected


def test_tokens_are_counted_by_several_processes_in_the_order_of_gensims_pass(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(corpus_module.os, "sched_getaffinity", lambda pid: {0, 1})
    monkeypatch.setattr(documents_module, "BATCH_LINES", 2)
    long = " ".join(f"long{i}" for i in range(20_000))  # its batch is done after the next ones
    first = [long, "sky", *(f"new york word{-i % 7} often" for i in range(20))]
    second = [f"word{i % 11} late{i % 3} often" for i in range(9)]
    paths = [
        write(tmp_path / name, "\n".join(lines).encode())
        for name, lines in (("a.txt", first), ("b.txt", second))
    ]
    corpus = Corpus([("late1", "sea"), (), ("sky",)], paths, ["new_york"], tmp_path / "cleaned")
    counts = corpus.counts()
    tokens = [line.replace("new york", "new_york").split() for line in first + second]
    assert list(corpus) == [["late1", "sea"], [], ["sky"], *tokens]
    assert list(counts.tokens.items()) == list(Counter(itertools.chain(*corpus)).items())
    model = Word2Vec(vector_size=1, min_count=1)
    model.build_vocab(corpus, keep_raw_vocab=True)
    assert list(counts.tokens.items()) == list(model.raw_vocab.items())
    assert counts.n_documents == model.corpus_count


@pytest.mark.parametrize(
    ("name", "data"),
    [
        (
            "t.tsv",
            "\n".join("\t".join(["x", "New York"][i % 2] for i in range(n)) for n in (25, 24)),
        ),
        ("t.txt", "\n\n... \u2028\x85 a\x1cb\xa0c\r d\n"),
    ],
)
def test_counts_are_those_of_the_documents_that_are_left(tmp_path, name, data):
    path = write(tmp_path / name, data.encode())
    corpus = Corpus([], [path], ["new_york"], tmp_path / "cleaned")
    found = list(corpus)
    assert found
    assert corpus.counts() == Counts.of(found)


def test_corpus_says_what_it_left_out(tmp_path):
    lines = ["\t".join(["x"] * n) for n in (25, 24, 25, 3)]
    path = write(tmp_path / "t.tsv", "\n".join(lines).encode())
    corpus = Corpus([], [path, path], [], tmp_path / "cleaned")
    assert corpus.skipped() == {documents_module.COLUMNS: 4}
    assert list(corpus) == [["x", "x", "x"]] * 4
