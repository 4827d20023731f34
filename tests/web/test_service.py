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
from mmcgan.metadata.xmp.packet import Packet
from mmcgan.training.prepared.dataset import read_dataset
from mmcgan.web import service as service_module
from mmcgan.web.service import NotHereError, TaggingService
from mmcgan.web.training_photos import TrainingPhotos


@pytest.fixture
def service(trained, stand_in):
    tagger = Tagger.load(trained[1])
    return TaggingService(
        tagger, "0001", TrainingPhotos.of(with_thumbnails(read_dataset(trained[0])), tagger.model)
    )


def receive(service: TaggingService, data: bytes) -> str:
    return service.receive(BytesIO(data))


def test_service_tags_as_the_tagger_does(service):
    photo = make_photo("red")
    key = receive(service, photo)
    tags = service.tagger.tag(photo, 8)
    assert service.tags(key, 8, 0) == tags
    assert service.tags(key, 2, 0) == tags[:2]
    least = tags[2].score
    assert service.tags(key, 8, least) == [tag for tag in tags if tag.score >= least]


def test_service_says_what_share_of_the_draws_comes_nearest_to_each_word(service):
    key, features = receive(service, make_photo("red")), service.tagger.features(make_photo("red"))
    words = service.tagger.model.vocabulary.words
    for seed in (0, 7):
        draws = next(replace(service.tagger, seed=seed).draws(features))
        nearest = [words[row] for row in draws.nearest[0]]
        shares = {word: nearest.count(word) / len(nearest) for word in set(nearest)}
        found = service.draws(key, seed, 1000)
        assert dict(found) == pytest.approx(shares)
        assert [tag.score for tag in found] == sorted([tag.score for tag in found], reverse=True)


def test_service_finds_the_nearest_words_but_not_the_word_itself(service):
    vocabulary = service.tagger.model.vocabulary
    unit = unit_rows(vocabulary.vectors)
    for row, word in enumerate(vocabulary.words):
        cosines = {w: float(c) for w, c in zip(vocabulary.words, unit @ unit[row], strict=True)}
        del cosines[word]
        found = service.nearest_words(word)
        assert len(found) == min(12, len(cosines))
        assert [tag.word for tag in found] == sorted(cosines, key=lambda w: -cosines[w])[:12]
        assert dict(found) == pytest.approx({tag.word: cosines[tag.word] for tag in found})


def test_service_finds_similar_photos_of_training(service):
    key = receive(service, make_photo("red"))
    places = service.similar_photos(key, "sea")
    assert places == service.photos.similar(service.tagger.features(make_photo("red")), "sea", 12)
    assert service.thumbnail(places[0]) == service.photos.jpegs[places[0]]


def test_service_without_training_photos_shows_no_photos(service):
    bare = TaggingService(service.tagger, "0001")
    assert bare.similar_photos(receive(bare, make_photo("red")), "sea") == []
    with pytest.raises(NotHereError, match="no such picture"):
        bare.thumbnail(0)


def test_service_makes_a_sidecar_of_the_tags_that_the_photo_does_not_carry(service):
    photo = encode("JPEG")
    key = receive(service, photo)
    words = [tag.word.replace("_", " ") for tag in service.tags(key, 4, 0)]
    found = Packet.parse(service.sidecar(key, 4, 0, TIME), "sidecar")
    assert found.keywords() == words
    carried = receive(service, encode("JPEG", packet(subject(words[0].upper()))))
    expected = [words[0].upper(), *words[1:]]
    assert Packet.parse(service.sidecar(carried, 4, 0, TIME), "sidecar").keywords() == expected
    assert b"0001" in service.sidecar(key, 4, 0, TIME)


def test_service_makes_no_sidecar_without_tags(service):
    with pytest.raises(NotHereError, match="there is no tag to write"):
        service.sidecar(receive(service, make_photo("red")), 10, 1.0, TIME)


def test_service_holds_the_newest_photos_alone(service, monkeypatch):
    monkeypatch.setattr(service_module, "N_HELD", 2)
    keys = [receive(service, make_photo("red")) for _ in range(3)]
    assert len(set(keys)) == 3
    with pytest.raises(NotHereError, match="send it again"):
        service.tags(keys[0], 1, 0)
    assert service.tags(keys[1], 1, 0) == service.tags(keys[2], 1, 0)


def test_service_leaves_no_file_of_a_photo(service, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    receive(service, encode("JPEG", packet(subject("sea"))))
    assert list(tmp_path.iterdir()) == []


def test_service_refuses_more_pixels_than_it_may_before_it_decodes_them(service, monkeypatch):
    monkeypatch.setattr(service_module, "MAX_PIXELS", 10_000_000)
    monkeypatch.setattr(service.tagger.backbone, "_run", None)  # is not reached
    photo = make_photo("red", (5000, 2001))
    with pytest.raises(PhotoError, match="limit of 10 megapixels"):
        receive(service, photo)


def test_service_knows_no_words_but_the_models(service):
    with pytest.raises(NotHereError, match="no such word"):
        service.nearest_words("x" * 50)
    assert np.isfinite([tag.score for tag in service.nearest_words("cat")]).all()
