"""The addresses of the server: the page and its files, and the questions that it may ask.

`POST /tag` is for scripts as well; /openapi.json describes all of it. Answers are JSON, except
pictures and sidecars; `{"detail": …}` says what was wrong.
"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response, UploadFile
from fastapi import Path as InPath
from fastapi.responses import JSONResponse
from pydantic import BaseModel

import mmcgan
from mmcgan.errors import PhotoError
from mmcgan.folders.contact_sheet import PAGES
from mmcgan.inference.tagger import Tag
from mmcgan.web.limits import UPLOADS_A_MINUTE, Guard, Rate
from mmcgan.web.service import NotHereError, TaggingService

MAX_TAGS = 1000
N_DRAWN = 12  # words of the draws that are shown

_STATIC = Path(__file__).parent / "static"
_FILES = {  # name → its folder and its type
    "base.css": (PAGES, "text/css"),
    "page.css": (_STATIC, "text/css"),
    "page.js": (_STATIC, "text/javascript"),
    "icon.svg": (_STATIC, "image/svg+xml"),
}

Key = Annotated[str, InPath(max_length=64, description="The `photo` that POST /tag answered.")]
TopK = Annotated[int, Query(ge=1, le=MAX_TAGS, description="The most tags to return.")]
Threshold = Annotated[float, Query(ge=0, le=1, description="The least score of a tag.")]
Seed = Annotated[int, Query(ge=0, lt=2**32, description="Seed of the noise.")]


class ScoredWord(BaseModel):
    """A word, underscores for spaces, and its score, share or cosine."""

    word: str
    score: float


class TaggedPhoto(BaseModel):
    """The tags of a photo, best first, and the key under which the server holds it for a while."""

    photo: str
    tags: list[ScoredWord]


class Drawn(BaseModel):
    """The words that single draws come nearest to, with the share of the draws, largest first."""

    n_draws: int
    words: list[ScoredWord]


class SimilarPhoto(BaseModel):
    """A photo of the training set: the address of its thumbnail, and its tags."""

    thumbnail: str
    tags: list[str]


class Near(BaseModel):
    """The words nearest to a word, and training photos with that word that are like the photo."""

    words: list[ScoredWord]
    photos: list[SimilarPhoto]


class Problem(BaseModel):
    """Why there is no answer."""

    detail: str


def create_app(service: TaggingService, host: str, rate: Rate | None = None) -> Guard:
    """Return the server's ASGI application, guarded by the limits of `mmcgan.web.limits`."""
    app = FastAPI(title="mmcgan", version=mmcgan.__version__, docs_url=None, redoc_url=None)
    app.add_exception_handler(PhotoError, _bad_photo)
    app.add_exception_handler(NotHereError, _not_here)
    _add_page(app)
    _add_tagging(app, service)
    _add_looking(app, service)
    return Guard(app, host, rate or Rate(UPLOADS_A_MINUTE))


def _add_page(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    def page() -> Response:
        return _file(_STATIC / "index.html", "text/html")

    @app.get("/assets/{name}", include_in_schema=False)
    def asset(name: str) -> Response:
        if name not in _FILES:
            raise NotHereError("there is no such file")
        folder, kind = _FILES[name]
        return _file(folder / name, kind)


def _add_tagging(app: FastAPI, service: TaggingService) -> None:
    @app.post("/tag", summary="Tag a photo", responses=_problems(403, 411, 413, 415, 421, 429))
    def tag(photo: UploadFile, k: TopK = 10, threshold: Threshold = 0) -> TaggedPhoto:
        """Send a JPEG, PNG, WebP, TIFF, GIF or BMP as the form field `photo`."""
        key = service.receive(photo.file)
        return TaggedPhoto(photo=key, tags=_scored(service.tags(key, k, threshold)))


def _add_looking(app: FastAPI, service: TaggingService) -> None:
    @app.get("/photos/{key}/draws", summary="What single draws say", responses=_problems(404))
    def draws(key: Key, seed: Seed = 0) -> Drawn:
        words = service.draws(key, seed, N_DRAWN)
        return Drawn(n_draws=service.tagger.n_samples, words=_scored(words))

    @app.get("/photos/{key}/near", summary="What is near to a word", responses=_problems(404))
    def near(key: Key, word: Annotated[str, Query(max_length=200)]) -> Near:
        words, places = service.nearest_words(word), service.similar_photos(key, word)
        tags = service.photos.tags if service.photos else ()
        photos = [SimilarPhoto(thumbnail=f"/thumbnails/{p}", tags=list(tags[p])) for p in places]
        return Near(words=_scored(words), photos=photos)

    @app.get("/photos/{key}/sidecar", summary="The XMP sidecar", responses=_problems(404))
    def sidecar(key: Key, k: TopK = 10, threshold: Threshold = 0) -> Response:
        packet = service.sidecar(key, k, threshold, datetime.now(timezone.utc))
        headers = {"Content-Disposition": "attachment"}
        return Response(packet, media_type="application/rdf+xml", headers=headers)

    @app.get("/thumbnails/{place}", include_in_schema=False)
    def thumbnail(place: int) -> Response:
        return Response(service.thumbnail(place), media_type="image/jpeg")


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return how /openapi.json describes answers with an error status."""
    return {status: {"model": Problem} for status in statuses}


def _scored(tags: list[Tag]) -> list[ScoredWord]:
    return [ScoredWord(word=tag.word, score=tag.score) for tag in tags]


def _file(path: Path, kind: str) -> Response:
    return Response(path.read_bytes(), media_type=kind)


def _bad_photo(request: Request, error: Exception) -> Response:
    # What follows the colon is a decoder's own words, which may name files of this machine.
    return JSONResponse({"detail": str(error).partition(":")[0]}, 415)


def _not_here(request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, 404)
