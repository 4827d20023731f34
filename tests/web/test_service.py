from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs the extra web")
from helpers.keyword_photos import encode
from helpers.packets import TIME, packet, subject
from helpers.photos import make_photo
from helpers.thumbnails import with_thumbnails

from mmcgan.errors import PhotoError
from mmcgan.inference.tagger import Tagger
from mmcgan.inference.words.vocabulary import unit_rows
from mmcgan.metadata.packet import Packet
from mmcgan.training.prepared.dataset import read_dataset
from mmcgan.web import service as desk_module
from mmcgan.web.service import Desk, NotHereError
from mmcgan.web.training_photos import Album


@pytest.fixture
def desk(trained, stand_in):
    tagger = Tagger.load(trained[1])
    return Desk(tagger, "0001", Album.of(with_thumbnails(read_dataset(trained[0])), tagger.model))


def receive(desk: Desk, data: bytes) -> str:
    return desk.receive(BytesIO(data))


def test_desk_tags_as_the_tagger_does(desk):
    photo = make_photo("red")
    key = receive(desk, photo)
    tags = desk.tagger.tag(photo, 8)
    assert desk.tags(key, 8, 0) == tags
    assert desk.tags(key, 2, 0) == tags[:2]
    least = tags[2].score
    assert desk.tags(key, 8, least) == [tag for tag in tags if tag.score >= least]


def test_desk_says_what_share_of_the_draws_comes_nearest_to_each_word(desk):
    key, features = receive(desk, make_photo("red")), desk.tagger.features(make_photo("red"))
    words = desk.tagger.model.vocabulary.words
    for seed in (0, 7):
        draws = next(replace(desk.tagger, seed=seed).draws(features))
        nearest = [words[row] for row in draws.nearest[0]]
        shares = {word: nearest.count(word) / len(nearest) for word in set(nearest)}
        found = desk.draws(key, seed, 1000)
        assert dict(found) == pytest.approx(shares)
        assert [tag.score for tag in found] == sorted([tag.score for tag in found], reverse=True)


def test_desk_finds_the_nearest_words_but_not_the_word_itself(desk):
    vocabulary = desk.tagger.model.vocabulary
    unit = unit_rows(vocabulary.vectors)
    for row, word in enumerate(vocabulary.words):
        cosines = {w: float(c) for w, c in zip(vocabulary.words, unit @ unit[row], strict=True)}
        del cosines[word]
        found = desk.nearest_words(word)
        assert len(found) == min(12, len(cosines))
        assert [tag.word for tag in found] == sorted(cosines, key=lambda w: -cosines[w])[:12]
        assert dict(found) == pytest.approx({tag.word: cosines[tag.word] for tag in found})


def test_desk_finds_similar_photos_of_the_album(desk):
    key = receive(desk, make_photo("red"))
    places = desk.similar_photos(key, "sea")
    assert places == desk.album.similar(desk.tagger.features(make_photo("red")), "sea", 12)
    assert desk.thumbnail(places[0]) == desk.album.jpegs[places[0]]


def test_desk_without_an_album_shows_no_photos(desk):
    bare = Desk(desk.tagger, "0001")
    assert bare.similar_photos(receive(bare, make_photo("red")), "sea") == []
    with pytest.raises(NotHereError, match="no such picture"):
        bare.thumbnail(0)


def test_desk_makes_a_sidecar_of_the_tags_that_the_photo_does_not_carry(desk):
    photo = encode("JPEG")
    key = receive(desk, photo)
    words = [tag.word.replace("_", " ") for tag in desk.tags(key, 4, 0)]
    found = Packet.parse(desk.sidecar(key, 4, 0, TIME), "sidecar")
    assert found.keywords() == words
    carried = receive(desk, encode("JPEG", packet(subject(words[0].upper()))))
    assert Packet.parse(desk.sidecar(carried, 4, 0, TIME), "sidecar").keywords() == words[1:]
    assert b"0001" in desk.sidecar(key, 4, 0, TIME)


def test_desk_makes_no_sidecar_without_tags(desk):
    with pytest.raises(NotHereError, match="there is no tag to write"):
        desk.sidecar(receive(desk, make_photo("red")), 10, 1.0, TIME)


def test_desk_holds_the_newest_photos_alone(desk, monkeypatch):
    monkeypatch.setattr(desk_module, "N_HELD", 2)
    keys = [receive(desk, make_photo("red")) for _ in range(3)]
    assert len(set(keys)) == 3
    with pytest.raises(NotHereError, match="send it again"):
        desk.tags(keys[0], 1, 0)
    assert desk.tags(keys[1], 1, 0) == desk.tags(keys[2], 1, 0)


def test_desk_leaves_no_file_of_a_photo(desk, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    receive(desk, encode("JPEG", packet(subject("sea"))))
    assert list(tmp_path.iterdir()) == []


def test_desk_refuses_more_pixels_than_it_may_before_it_decodes_them(desk, monkeypatch):
    monkeypatch.setattr(desk_module, "MAX_PIXELS", 10_000_000)
    monkeypatch.setattr(desk.tagger.backbone, "_run", None)  # is not reached
    photo = make_photo("red", (5000, 2001))
    with pytest.raises(PhotoError, match="limit of 10 megapixels"):
        receive(desk, photo)


def test_desk_knows_no_words_but_the_models(desk):
    with pytest.raises(NotHereError, match="no such word"):
        desk.nearest_words("x" * 50)
    assert np.isfinite([tag.score for tag in desk.nearest_words("cat")]).all()
