"""Requests that are refused before they are read. Nothing here waits: the clock is a list."""

from __future__ import annotations

import http.client

import pytest
from helpers.browser import served

pytest.importorskip("fastapi", reason="needs the extra web")
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from mmcgan.web import limits
from mmcgan.web.limits import SECURITY_HEADERS, Guard, Rate


@pytest.fixture
def now():
    return [0.0]


@pytest.fixture
def client(now):
    rate = Rate(2, 60, clock=lambda: now[0])
    guard = Guard(PlainTextResponse("done"), "photos.example", rate)
    return TestClient(guard, "http://127.0.0.1:8000")


def test_rate_counts_uploads_in_a_sliding_window(now):
    rate = Rate(2, 60, clock=lambda: now[0])
    assert rate.wait_seconds("a") == 0
    now[0] = 20
    assert [rate.wait_seconds("a") for _ in range(3)] == [0, 40, 40]
    assert rate.wait_seconds("b") == 0
    now[0] = 60
    assert [rate.wait_seconds("a") for _ in range(2)] == [0, 20]


def test_rate_remembers_no_more_addresses_than_it_may(now, monkeypatch):
    monkeypatch.setattr(limits, "MAX_ADDRESSES", 2)
    rate = Rate(1, 60, clock=lambda: now[0])
    assert [rate.wait_seconds(name) for name in "abc"] == [0, 0, 0]
    assert [rate.wait_seconds(name) for name in "cba"] == [60, 60, 0]


def test_too_many_uploads_are_told_how_long_to_wait(client, now):
    assert [client.post("/").status_code for _ in range(3)] == [200, 200, 429]
    now[0] = 12.5
    answer = client.post("/")
    assert answer.headers["retry-after"] == "48"
    assert answer.json() == {"detail": "too many photos a minute; wait 48 seconds"}
    assert client.get("/").status_code == 200
    now[0] = 60
    assert client.post("/").status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("[::1]:8000", 200),
        ("192.168.1.7:8000", 200),
        ("photos.example:8000", 200),
        ("evil.example", 421),
        ("evil.example:8000", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("[::1", 421),
        ("", 421),
    ],
)
def test_names_that_could_be_made_to_point_here_are_refused(client, host, status):
    assert client.get("/", headers={"host": host}).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://127.0.0.1:8000"}, 200),
        ({"origin": "http://127.0.0.1:9000"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"content-length": str(limits.MAX_UPLOAD_BYTES + 1)}, 413),
        ({"content-length": "-1"}, 411),
        ({"content-length": "many"}, 411),
        ({"transfer-encoding": "chunked"}, 411),
    ],
)
def test_uploads_of_other_sites_too_large_or_of_unknown_length_are_refused(client, headers, status):
    assert client.post("/", headers=headers).status_code == status


def test_whoever_is_refused_hears_why_before_the_connection_ends():
    with served(Guard(PlainTextResponse("done"), "127.0.0.1", Rate(1))) as url:
        connection = http.client.HTTPConnection(url.split("/")[2], timeout=60)
        connection.request("POST", "/", b"x" * 20_000_000, {"Origin": "https://evil.example"})
        answer = connection.getresponse()
        assert answer.status == 403
        assert b"other sites" in answer.read()
        connection.close()


def test_all_answers_have_the_security_headers(client):
    for answer in (client.get("/"), client.get("/", headers={"host": "x.example"})):
        assert answer.headers.items() >= {k.lower(): v for k, v in SECURITY_HEADERS.items()}.items()
    assert "unsafe" not in SECURITY_HEADERS["Content-Security-Policy"]
