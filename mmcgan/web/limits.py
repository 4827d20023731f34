"""The limits of the server: requests refused before they are read, and headers on every answer.

The server refuses
- a Host that is a name, other than localhost and that of --host: another site could let its name
  point here (DNS rebinding) and read the answers as its own; with an address it cannot;
- an upload from a page of another site, too large, of unknown length, or one too many a minute.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_UPLOAD_BYTES = 64 * 2**20
UPLOADS_A_MINUTE = 120
TOO_LARGE = 413
MAX_ADDRESSES = 1000  # whose uploads are counted

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Rate:
    """A limit of `n_uploads` in any `seconds` from one address."""

    def __init__(
        self, n_uploads: int, seconds: float = 60, clock: Callable[[], float] = time.monotonic
    ):
        self._n_uploads, self._seconds, self._clock = n_uploads, seconds, clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_seconds(self, address: str) -> float:
        """Count an upload and return 0, or return how many seconds it has to wait."""
        now = self._clock()
        times = self._times.setdefault(address, deque())
        self._times.move_to_end(address)
        if len(self._times) > MAX_ADDRESSES:
            self._times.popitem(last=False)
        while times and times[0] <= now - self._seconds:
            times.popleft()
        if len(times) >= self._n_uploads:
            return times[0] + self._seconds - now
        times.append(now)
        return 0


class Guard:
    """ASGI middleware that refuses what this module's docstring lists and adds the headers."""

    def __init__(self, app: ASGIApp, host: str, rate: Rate):
        self._app, self._host, self._rate = app, host.lower(), rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None and refusal.status_code != TOO_LARGE:
            await _read_away(receive)
        await (refusal or self._app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        if not self._is_ours(headers.get("host", "")):
            return _refused(421, "this server does not answer under that name; use its address")
        if scope["method"] != "POST":
            return None
        return _wrong_upload(headers) or self._too_many(scope)

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
            return name in ("localhost", self._host) or bool(ip_address(name))
        except ValueError:  # another name than an address, or no Host at all
            return False

    def _too_many(self, scope: Scope) -> JSONResponse | None:
        address = scope["client"][0] if scope.get("client") else ""
        wait = math.ceil(self._rate.wait_seconds(address))
        if not wait:
            return None
        refused = _refused(429, f"too many photos a minute; wait {wait} seconds")
        refused.headers["Retry-After"] = str(wait)
        return refused


def _wrong_upload(headers: Headers) -> JSONResponse | None:
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2] != headers.get("host"):
        return _refused(403, "pages of other sites may not send photos")
    length = headers.get("content-length", "")
    if not length.isdecimal() or "transfer-encoding" in headers:
        return _refused(411, "the length of the upload must be said in Content-Length")
    if int(length) > MAX_UPLOAD_BYTES:
        limit = f"{MAX_UPLOAD_BYTES // 2**20} MiB"
        return _refused(TOO_LARGE, f"the photo is larger than the limit of {limit}")
    return None


async def _read_away(receive: Receive) -> None:
    """Read the rest of an upload, within limits: many clients read no answer until it is sent."""
    n_bytes, is_more = 0, True
    while is_more and n_bytes <= MAX_UPLOAD_BYTES:
        message = await receive()
        n_bytes += len(message.get("body", b""))
        is_more = message.get("more_body", False)


def _refused(status: int, detail: str) -> JSONResponse:
    # The body may not have been read to its end, so the connection cannot be used again.
    return JSONResponse({"detail": detail}, status, {"Connection": "close"})
