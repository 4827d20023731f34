"""Downloads that show their progress, are checked, and go on where they were broken off."""

from __future__ import annotations

import hashlib
import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mmcgan.errors import DataError

TIMEOUT_SECONDS = 60
CHUNK_BYTES = 2**20


def fetch_file(
    url: str, path: Path, md5: str | None, check: Callable[[Path], None] = lambda path: None
) -> None:
    """Fetch `url` to `path` unless it is there and whole; a partial file lies in `path`.part.

    `check` raises `DataError` if a file that arrived is broken, for files without an `md5`.
    Raises `DataError` if the server cannot be reached, breaks off (the part is kept, and the
    next call goes on with it), or sends a file that fails its check (nothing is kept).
    """
    if path.exists() and md5 in (None, _md5_of(path)):
        return
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        _complete(url, part)
    except (OSError, http.client.HTTPException) as reason:
        raise DataError(f"{url} cannot be fetched: {reason}{_kept(part)}") from None
    try:
        if md5 not in (None, _md5_of(part)):
            raise DataError(
                f"{url} does not have the expected md5 {md5}; nothing of it was kept, try again"
            )
        check(part)
    except DataError:
        part.unlink()
        raise
    part.replace(path)


def _md5_of(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _kept(part: Path) -> str:
    size = part.stat().st_size if part.exists() else 0
    return f"; {size} bytes are kept in {part}, run it again to go on" if size else ""


def _complete(url: str, part: Path) -> None:
    """Append to `part` what the server has beyond it; start afresh if the server cannot."""
    start = part.stat().st_size if part.exists() else 0
    try:
        response = _open(url, start)
    except urllib.error.HTTPError as error:
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE or not start:
            raise
        if error.headers.get("Content-Range", "").endswith(f"*/{start}"):
            return  # it was whole already
        start, response = 0, _open(url, 0)
    with response:
        if _first_byte(response) != start:
            start = 0
        total = _total_bytes(response, start)
        _append(response, part, start, total)
    if total is not None and part.stat().st_size != total:
        raise ConnectionError(f"broken off after {part.stat().st_size} of {total} bytes")


def _open(url: str, start: int) -> Any:
    headers = {"Range": f"bytes={start}-"} if start else {}
    request = urllib.request.Request(url, headers=headers)
    return urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)


def _first_byte(response: Any) -> int:
    """Return where in the file the answer begins: 0 if the server took no notice of the range."""
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(found[1]) if found and response.status == http.client.PARTIAL_CONTENT else 0


def _total_bytes(response: Any, start: int) -> int | None:
    length = response.headers.get("Content-Length")
    return start + int(length) if length else None


def _append(response: Any, part: Path, start: int, total: int | None) -> None:
    bar = tqdm(desc=part.stem, total=total, initial=start, unit="B", unit_scale=True, disable=None)
    with bar, part.open("ab" if start else "wb") as file:
        while chunk := response.read(CHUNK_BYTES):
            file.write(chunk)
            bar.update(len(chunk))
