"""Features kept by the pixels of a photo."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from helpers.packets import marks
from helpers.photos import make_photo
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from mmcgan.inference.photos import feature_cache
from mmcgan.inference.photos.backbone import Backbone
from mmcgan.inference.photos.feature_cache import FeatureCache
from mmcgan.inference.photos.formats import segments
from mmcgan.inference.tagger import Tagger
from mmcgan.metadata import plan_embedded

RECORD = {"name": "tiny", "feature_size": 3, "detail": None}
ROW = np.array([0.5, -1.25, 2.0**-24], np.float32)  # as they are in half precision
KEY = b"k" * 32


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "cache" / "features.sqlite"


def ask(path: Path, statement: str, *values: object) -> list[tuple]:
    """Run a statement on the file of a cache."""
    with sqlite3.connect(path) as database:
        return database.execute(statement, values).fetchall()


def encode(format: str, colour: str = "red", **options: object) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (40, 30), colour).save(buffer, format, **options)
    return buffer.getvalue()


def exif(orientation: int, artist: str = "") -> Image.Exif:
    found = Image.Exif()
    found[0x0112] = orientation
    if artist:
        found[0x013B] = artist
    return found


def test_features_are_found_again_by_another_process(path):
    FeatureCache(RECORD, path).put({KEY: ROW})
    found = FeatureCache(RECORD, path).get(KEY)
    assert found.dtype == np.float32
    assert np.array_equal(found, ROW)
    assert FeatureCache(RECORD, path).get(b"other") is None


def test_features_of_another_backbone_have_other_keys(path):
    data = encode("JPEG")
    others = [RECORD | {"name": "other"}, RECORD | {"detail": 128}]
    keys = {FeatureCache(record, path).key(data) for record in (RECORD, *others)}
    assert len(keys) == 3


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_metadata_are_no_part_of_the_key_but_pixels_and_orientation_are(path, format, tmp_path):
    cache = FeatureCache(RECORD, path)
    photo = tmp_path / "a.img"
    photo.write_bytes(encode(format, exif=exif(1)))
    key = cache.key(photo.read_bytes())
    plan_embedded(photo, marks("sea")).apply()
    assert cache.key(photo.read_bytes()) == key
    assert cache.key(encode(format, exif=exif(1, "me"))) == key
    assert cache.key(encode(format, exif=exif(6))) != key
    assert cache.key(encode(format, "blue", exif=exif(1))) != key
    if format == "PNG":
        text = PngInfo()
        text.add_itxt("Title", "sea")
        assert cache.key(encode(format, exif=exif(1), pnginfo=text)) == key


@pytest.mark.parametrize("data", [b"", b"x", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\0\0", b"II*\0"])
def test_what_is_no_photo_has_a_key_of_its_own(path, data):
    cache = FeatureCache(RECORD, path)
    assert cache.key(data) == cache.key(data) != cache.key(data + b"y")


def test_other_formats_count_as_a_whole(path):
    cache = FeatureCache(RECORD, path)
    data = encode("BMP")
    assert cache.key(data) == cache.key(data) != cache.key(data + b"x")


def test_a_key_is_the_hash_of_what_the_pixels_depend_on(path):
    data = encode("JPEG", exif=exif(6), comment=b"by me")
    start, end = data.index(b"\xff\xe1"), data.index(b"\xff\xdb")
    digest = hashlib.sha256()
    facts = json.dumps({**RECORD, "cache": feature_cache.VERSION}, sort_keys=True)
    digest.update(hashlib.sha256(facts.encode()).digest() + b"6" + data[2:start] + data[end:])
    assert FeatureCache(RECORD, path).key(data) == digest.digest()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF"])
@pytest.mark.parametrize("cut", [None, -1, 40])
def test_a_file_has_the_key_of_its_bytes_however_little_of_it_is_read_at_once(
    path, format, cut, monkeypatch, tmp_path
):
    data = encode(format)[:cut]
    (tmp_path / "photo").write_bytes(data)
    cache = FeatureCache(RECORD, path)
    whole = cache.key(data)
    monkeypatch.setattr(segments, "_PIECE", 7)
    with (tmp_path / "photo").open("rb") as file:
        assert cache.key(file) == whole


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e5])  # half precision ends at 65,504
def test_features_that_are_not_finite_are_not_kept(path, value):
    cache = FeatureCache(RECORD, path)
    cache.put({KEY: np.array([0, value, 1], np.float32), b"b": ROW})
    assert cache.get(KEY) is None
    assert cache.get(b"b") is not None


def test_features_are_kept_in_half_precision(path):
    row = np.array([0.1, 1234.567, -1e-6], np.float32)
    cache = FeatureCache(RECORD, path)
    cache.put({KEY: row})
    assert cache.get(KEY).tolist() == row.astype(np.float16).astype(np.float32).tolist()
    ((n_bytes,),) = ask(path, "SELECT LENGTH(value) FROM features")
    assert n_bytes == 4 + 3 * 2


@pytest.mark.parametrize("value", [b"", b"short", bytes(16)[:-1] + b"\1", None, "text"])
def test_a_broken_value_is_none(path, value):
    cache = FeatureCache(RECORD, path)
    cache.put({KEY: ROW})
    ask(path, "UPDATE features SET value = ?", value)
    assert cache.get(KEY) is None
    cache.put({KEY: ROW})
    assert np.array_equal(cache.get(KEY), ROW)


def test_a_broken_file_is_begun_anew(path):
    path.parent.mkdir()
    path.write_bytes(b"this is no database" * 100)
    cache = FeatureCache(RECORD, path)
    cache.put({KEY: ROW})
    assert np.array_equal(FeatureCache(RECORD, path).get(KEY), ROW)


def test_a_file_that_breaks_while_it_is_open_is_begun_anew(path):
    cache = FeatureCache(RECORD, path)
    cache.put({bytes([i]) * 32: ROW for i in range(200)})
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * 20_000)
    for _ in range(3):
        cache.put({KEY: ROW})
    found = FeatureCache(RECORD, path).get(KEY)
    assert found is None or np.array_equal(found, ROW)


def test_without_a_folder_that_can_be_written_nothing_is_kept(tmp_path):
    (tmp_path / "file").touch()
    cache = FeatureCache(RECORD, tmp_path / "file" / "features.sqlite")
    cache.put({KEY: ROW})
    assert cache.get(KEY) is None


LARGE = RECORD | {"feature_size": 1000}
REPLACED = LARGE | {"pooling": {"classes": 10}}


def fill(record: dict, path: Path, first: int, n: int, limit: int | None = None) -> None:
    """Put a row of 2 KB for each of n numbers into the cache, one after the other."""
    cache = FeatureCache(record, path, limit)
    for i in range(first, first + n):
        cache.put({i.to_bytes(32, "big"): np.full(1000, i, np.float32)})


def kept(path: Path) -> list[int]:
    """Return the numbers of the rows that the cache has, the oldest first."""
    return [int.from_bytes(key, "big") for (key,) in ask(path, "SELECT key FROM features")]


def test_the_oldest_go_where_it_grows_too_large(path):
    fill(LARGE, path, 0, 300, limit=200_000)
    numbers = sorted(kept(path))
    assert numbers == list(range(numbers[0], 300))
    assert 30 < len(numbers) < 100
    assert path.stat().st_size < 300_000


def test_a_limit_holds_for_later_calls(path):
    FeatureCache(RECORD | {"name": "other"}, path, limit=200_000)
    fill(LARGE, path, 0, 300)
    assert 30 < len(kept(path)) < 100
    fill(LARGE, path, 300, 300, limit=feature_cache.DEFAULT_BYTES)
    assert len(kept(path)) > 300


def test_a_lower_limit_gives_room_back_at_once(path):
    fill(LARGE, path, 0, 100)
    before = path.stat().st_size
    fill(LARGE, path, 0, 0, limit=100_000)
    assert path.stat().st_size < before / 2
    assert sorted(kept(path))[-1] == 99


def test_with_a_limit_of_nothing_nothing_is_kept(path):
    fill(LARGE, path, 0, 3, limit=0)
    assert kept(path) == []


@pytest.mark.parametrize("other", [REPLACED, LARGE | {"weights_sha256": "other"}])
def test_features_of_a_replaced_pooling_or_network_go_before_older_ones(path, other):
    fill(LARGE | {"name": "another"}, path, 0, 20)
    fill(other, path, 100, 20)
    fill(LARGE, path, 200, 20)
    assert len(kept(path)) == 60  # there is room for all
    fill(LARGE, path, 300, 1, limit=path.stat().st_size * 5 // 6)
    assert sorted(kept(path)) == [*range(20), *range(200, 220), 300]


def test_another_detail_of_the_same_network_replaces_nothing(path):
    fill(LARGE | {"detail": 128}, path, 100, 20)
    fill(LARGE, path, 200, 40)
    fill(LARGE, path, 300, 1, limit=path.stat().st_size * 5 // 6)
    assert set(range(200, 240)) < set(kept(path))
    assert 119 in kept(path)


def test_features_of_a_backbone_that_nobody_uses_go(path):
    for record, number in ((LARGE, 1), (REPLACED, 2)):
        fill(record, path, number, 1)
    unused = "UPDATE backbones SET used_at = used_at - ? * 86400"
    ask(path, unused, feature_cache.UNUSED_DAYS - 1)
    fill(LARGE, path, 3, 0)
    assert sorted(kept(path)) == [1, 2]
    ask(path, unused, 2)
    fill(LARGE, path, 3, 0)
    assert kept(path) == [1]
    assert len(ask(path, "SELECT * FROM backbones")) == 1


OLD_TABLE = (
    "CREATE TABLE features (place INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB UNIQUE, value BLOB)"
)


def test_what_an_older_version_kept_goes_at_once(path):
    path.parent.mkdir()
    ask(path, OLD_TABLE)
    with sqlite3.connect(path) as database:
        rows = [(bytes([i]), bytes(4000)) for i in range(100)]
        database.executemany("INSERT INTO features (key, value) VALUES (?, ?)", rows)
    assert path.stat().st_size > 400_000
    fill(LARGE, path, 7, 1)
    assert kept(path) == [7]
    assert path.stat().st_size < 100_000


def test_another_version_forgets_no_limit(path, monkeypatch):
    fill(LARGE, path, 0, 1, limit=200_000)
    monkeypatch.setattr(feature_cache, "_BEGIN_ANEW", (*feature_cache._BEGIN_ANEW[:-1],))
    ask(path, "PRAGMA user_version = 1")
    fill(LARGE, path, 0, 300)
    assert 30 < len(kept(path)) < 100


def test_rows_of_an_older_version_that_still_runs_go_first(path):
    fill(LARGE, path, 0, 20)
    ask(path, "INSERT INTO features (key, value) VALUES (?, ?)", b"old", bytes(40_000))
    fill(LARGE, path, 20, 1, limit=path.stat().st_size - 10_000)
    assert sorted(kept(path)) == list(range(21))


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE settings",
        "DROP TABLE backbones",
        "DROP TABLE features",
        "UPDATE settings SET value = 'much'",
        "UPDATE backbones SET used_at = 'long ago', name = NULL",
    ],
)
def test_tables_that_are_not_as_they_should_be_hurt_nobody(path, statement):
    fill(LARGE, path, 0, 3, limit=200_000)
    ask(path, statement)
    cache = FeatureCache(LARGE, path)
    cache.put({KEY: np.zeros(1000, np.float32)})
    found = cache.get(KEY)
    assert found is None or not found.any()


def test_a_file_that_cannot_be_written_is_still_read(path):
    FeatureCache(RECORD, path).put({KEY: ROW})
    real = sqlite3.connect
    address = f"file:{path}?mode=ro"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            sqlite3, "connect", lambda _, *args, **named: real(address, *args, uri=True, **named)
        )
        cache = FeatureCache(RECORD, path, limit=10)
        cache.put({b"b": ROW})
        assert np.array_equal(cache.get(KEY), ROW)
        assert cache.get(b"b") is None


def test_threads_share_it(path):
    cache = FeatureCache(RECORD, path)

    def work(n: int) -> None:
        for i in range(20):
            cache.put({bytes([n, i]): ROW * n})
            assert cache.get(bytes([n, i])) is not None

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(cache.get(bytes([n, i])) is not None for n in range(4) for i in range(20))


def test_a_photo_that_was_renamed_and_given_keywords_is_not_computed_again(
    trained, stand_in, path, tmp_path, monkeypatch
):
    plain = Tagger.load(trained[1])
    record = plain.model.backbone
    photos = [tmp_path / f"{colour}.png" for colour in ("red", "blue")]
    for photo in photos:
        photo.write_bytes(make_photo(photo.stem))
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photo")
    expected = plain.tag_many(photos)
    first = Tagger(plain.model, cache=FeatureCache(record, path))
    assert first.tag_many(photos) == expected
    photos[0] = photos[0].rename(tmp_path / "sub.png")
    plan_embedded(photos[0], marks("sea")).apply()
    again = Tagger(plain.model, cache=FeatureCache(record, path))
    monkeypatch.setattr(Backbone, "features", lambda *args: pytest.fail("computed again"))
    found = list(again.tag_each([*photos, broken, tmp_path / "none.jpg"]))
    assert found[:2] == expected
    assert "broken.jpg" in str(found[2])
    assert "none.jpg: there is no such file" in str(found[3])
