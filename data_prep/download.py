"""Downloads that show their progress, are checked, and go on where they were broken off."""

from __future__ import annotations

import http.client
import logging
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pooch
from tqdm import tqdm

from mmcgan.errors import DataError

TIMEOUT_SECONDS = 60
CHUNK_BYTES = 2**20


def fetch_file(
    url: str, path: Path, md5: str | None, check: Callable[[Path], None] = lambda path: None
) -> None:
    """Fetch `url` to `path` unless it is there already; a partial file lies in `path`.part.

    `check` raises `DataError` if a file that arrived is broken, for files without an `md5`.
    Raises `DataError` if the server cannot be reached, breaks off (the part is kept, and the
    next call goes on with it), or sends a file that fails its check (nothing is kept).
    """
    pooch.get_logger().setLevel(logging.WARNING)  # it would print; the bar says it all
    known_hash = f"md5:{md5}" if md5 else None
    downloader = _ResumingDownloader(path.with_name(path.name + ".part"), check)
    try:
        pooch.retrieve(url, known_hash, path.name, path.parent, downloader=downloader)
    except ValueError:
        raise DataError(
            f"{url} does not have the expected md5 {md5}; nothing of it was kept, try again"
        ) from None


class _ResumingDownloader:
    """A downloader for pooch, which verifies the file and gives it its final name."""

    def __init__(self, part: Path, check: Callable[[Path], None]):
        self.part, self.check = part, check

    def __call__(self, url: str, output_file: str, _: Any) -> None:
        """Complete the part with what is missing, and hand it over as `output_file`."""
        try:
            _complete(url, self.part)
        except (OSError, http.client.HTTPException) as reason:
            raise DataError(f"{url} cannot be fetched: {reason}{self._kept()}") from None
        try:
            self.check(self.part)
        except DataError:
            self.part.unlink()
            raise
        self.part.replace(output_file)

    def _kept(self) -> str:
        size = self.part.stat().st_size if self.part.exists() else 0
        return f"; {size} bytes are kept in {self.part}, run it again to go on" if size else ""


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
