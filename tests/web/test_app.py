"""The server's addresses, asked as a script would; tests/test_browser.py asks as a person does."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import pytest
from helpers.bombs import bomb

pytest.importorskip("fastapi", reason="needs the extra web")
from helpers.photos import make_photo
from helpers.thumbnails import with_thumbnails
from PIL import Image
from starlette.testclient import TestClient

from mmcgan.inference.tagger import Tagger
from mmcgan.inference.words.vocabulary import Vocabulary
from mmcgan.metadata.xmp.packet import Packet
from mmcgan.training.prepared.dataset import read_dataset
from mmcgan.web.app import create_app
from mmcgan.web.limits import MAX_UPLOAD_BYTES
from mmcgan.web.service import TaggingService
from mmcgan.web.training_photos import TrainingPhotos

HTML = "<img_src=x_onerror=alert(1)>"


@pytest.fixture
def service(trained, stand_in):
    tagger = Tagger.load(trained[1])
    return TaggingService(
        tagger, "0001", TrainingPhotos.of(with_thumbnails(read_dataset(trained[0])), tagger.model)
    )


@pytest.fixture
def client(service):
    return TestClient(create_app(service, "127.0.0.1"), "http://127.0.0.1:8000")


def send(client: TestClient, data: bytes, name: str = "photo.png", **query):
    return client.post("/tag", files={"photo": (name, data)}, params=query)


def tiff_with_broken_offset() -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "TIFF")
    return buffer.getvalue()[:60]


def test_tag_answers_as_the_tagger_does(client, service):
    answer = send(client, make_photo("red"), k=4)
    assert answer.status_code == 200
    tags = [
        {"word": tag.word, "score": tag.score} for tag in service.tagger.tag(make_photo("red"), 4)
    ]
    assert answer.json()["tags"] == tags
    least = tags[1]["score"]
    above = send(client, make_photo("red"), k=4, threshold=least).json()["tags"]
    assert above == [tag for tag in tags if tag["score"] >= least]


def test_page_has_all_it_needs_on_this_server(client):
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for name in ("base.css", "page.css", "page.js", "icon.svg"):
        assert f'"/assets/{name}"' in page.text
        assert client.get(f"/assets/{name}").status_code == 200
    assert "://" not in page.text
    assert "<script>" not in page.text
    assert "style=" not in page.text
    assert f'data-max-bytes="{MAX_UPLOAD_BYTES}"' in page.text


@pytest.mark.parametrize(
    "path",
    [
        "/assets/app.py",
        "/assets/../app.py",
        "/assets/%2e%2e/app.py",
        "/assets/..%2fapp.py",
        "/assets//etc/passwd",
        "/static/index.html",
        "/docs",
        "/redoc",
        "/thumbnails/999999",
        "/thumbnails/-1",
    ],
)
def test_nothing_else_is_there(client, path):
    assert client.get(path).status_code == 404


def test_looking_at_a_photo(client, service):
    key = send(client, make_photo("red")).json()["photo"]
    drawn = [client.get(f"/photos/{key}/draws", params={"seed": seed}).json() for seed in (0, 1)]
    assert [d["n_draws"] for d in drawn] == [100, 100]
    assert drawn[0]["words"] != drawn[1]["words"]
    assert drawn[0]["words"] == client.get(f"/photos/{key}/draws").json()["words"]
    near = client.get(f"/photos/{key}/near", params={"word": "sea"}).json()
    assert near["words"][0]["word"] == service.nearest_words("sea")[0].word
    assert all("sea" in photo["tags"] for photo in near["photos"])
    picture = client.get(near["photos"][0]["thumbnail"])
    assert picture.headers["content-type"] == "image/jpeg"
    assert picture.content in service.photos.jpegs


def test_sidecar_is_a_download_with_the_tags(client):
    answer = send(client, make_photo("red"), k=3).json()
    sidecar = client.get(f"/photos/{answer['photo']}/sidecar", params={"k": 3})
    assert sidecar.headers["content-disposition"] == "attachment"
    words = [tag["word"].replace("_", " ") for tag in answer["tags"]]
    assert Packet.parse(sidecar.content, "sidecar").keywords() == words


@pytest.mark.parametrize("what", ["draws", "near?word=cat", "sidecar"])
def test_a_photo_that_is_not_held_is_404(client, what):
    answer = client.get(f"/photos/nothing/{what}")
    assert answer.status_code == 404
    assert "send it again" in answer.json()["detail"]


@pytest.mark.parametrize(
    "query",
    [
        {"k": 0},
        {"k": 1001},
        {"k": "x"},
        {"threshold": -0.1},
        {"threshold": 1.1},
        {"threshold": "nan"},
    ],
)
def test_wrong_values_are_422(client, query):
    assert send(client, make_photo("red"), **query).status_code == 422


def test_an_upload_without_a_photo_is_422(client):
    assert client.post("/tag", data={"photo": "text"}).status_code == 422
    assert client.post("/tag", files={"other": ("a.png", b"x")}).status_code == 422
    assert client.post("/tag", content=b"{").status_code == 422


@pytest.mark.filterwarnings("ignore:Truncated File Read")
@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"", "the photo is empty (0 bytes)"),
        (b"<html><script>alert(1)</script>", "the photo is not a photo of a known format"),
        (b"GIF89a<script>", "the photo is broken or cut short"),
        (make_photo("red")[:40], "the photo is broken or cut short"),
        (tiff_with_broken_offset(), "the photo is broken or cut short"),
        (bomb(60_000, 60_000), "the photo has 60,000 × 60,000 pixels, more than the limit"),
        (bomb(12_000, 12_000), "the photo has 12,000 × 12,000 pixels, more than the limit"),
        (bomb(0, 0), "the photo is broken or cut short"),
        (b"\x89PNG\r\n\x1a\n" + b"\xff" * 100, "the photo is broken or cut short"),
    ],
    ids=["empty", "html", "gif", "cut", "tiff", "bomb", "smaller bomb", "no pixels", "noise"],
)
def test_hostile_uploads_are_415_in_plain_words(client, data, detail):
    answer = send(client, data, "<b>../../etc/passwd.png")
    assert answer.status_code == 415
    assert answer.json()["detail"].startswith(detail)
    assert not any(leak in answer.text for leak in ("/", "Traceback", "0x", "passwd", "BytesIO"))


def test_html_in_a_word_stays_json(service):
    vocabulary = service.tagger.model.vocabulary
    words = (HTML, *vocabulary.words[1:])
    model = replace(
        service.tagger.model, vocabulary=Vocabulary(words, vocabulary.vectors, vocabulary.n_photos)
    )
    hostile = TaggingService(replace(service.tagger, model=model), "0001")
    client = TestClient(create_app(hostile, "127.0.0.1"), "http://127.0.0.1")
    answer = send(client, make_photo("red"), k=1000)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert HTML in [tag["word"] for tag in answer.json()["tags"]]
    key = answer.json()["photo"]
    assert client.get(f"/photos/{key}/near", params={"word": HTML}).status_code == 200
    sidecar = client.get(f"/photos/{key}/sidecar", params={"k": 1000}).content
    assert HTML.replace("_", " ") in Packet.parse(sidecar, "sidecar").keywords()


def test_a_fault_of_the_server_tells_nothing(service, monkeypatch):
    monkeypatch.setattr(service, "tags", lambda *args: 1 / 0)
    app = create_app(service, "127.0.0.1")
    client = TestClient(app, "http://127.0.0.1", raise_server_exceptions=False)
    answer = send(client, make_photo("red"))
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")
    assert answer.headers["x-frame-options"] == "DENY"


def test_post_tag_is_described(client):
    described = client.get("/openapi.json").json()
    post = described["paths"]["/tag"]["post"]
    assert {p["name"] for p in post["parameters"]} == {"k", "threshold"}
    assert "multipart/form-data" in post["requestBody"]["content"]
    assert {"200", "413", "415", "429"} <= post["responses"].keys()
    answer = described["components"]["schemas"]["TaggedPhoto"]["properties"]
    assert set(answer) == {"photo", "tags"}
