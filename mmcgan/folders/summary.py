"""The summary of work on many photos: one line at the end, and a JSON file."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmcgan.errors import OptionError
from mmcgan.files import write_json
from mmcgan.folders.photo_files import Found


@dataclass
class Summary:
    """The work done so far; `n_changed` counts files that keywords were put into or taken from."""

    n_photos: int
    left_out: Counter[str] = field(default_factory=Counter)
    is_dry_run: bool = False  # `n_changed` files would be changed
    n_tagged: int = 0
    n_done_before: int = 0
    n_changed: int = 0
    words: Counter[str] = field(default_factory=Counter)
    failed: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False  # it ended before the last photo

    def to_json(self) -> dict[str, Any]:
        """Return the summary as JSON, the most frequent tags first."""
        return {
            "photos": self.n_photos,
            "tagged": self.n_tagged,
            "done_before": self.n_done_before,
            "files_changed": self.n_changed,
            "dry_run": self.is_dry_run,
            "failed": [{"path": path, "error": error} for path, error in self.failed],
            "left_out": dict(self.left_out),
            "words": dict(self.words.most_common()),
            "seconds": round(self.seconds, 3),
            "interrupted": self.interrupted,
        }

    def line(self) -> str:
        """Return the summary as one line."""
        parts = [f"{self.n_tagged} tagged"] if self.n_tagged else []
        parts += [f"{self.n_done_before} done before"] if self.n_done_before else []
        parts += [f"{self.n_changed} files {'to change' if self.is_dry_run else 'changed'}"]
        parts += [f"{len(self.failed)} failed"] if self.failed else []
        parts += [f"left out: {n} {reason}" for reason, n in self.left_out.items()]
        return f"{self.n_photos} photos: {', '.join(parts)}; {self.seconds:.1f} s"


@contextmanager
def summarized(
    found: Found, path: Path | None, say: Callable[[str], None], is_dry_run: bool = False
) -> Iterator[Summary]:
    """Give a summary for the block to fill; when it ends, however it ends, say it and write it.

    Only where wrong options end it before anything was done, there is nothing to say.
    """
    failed = list(found.failed)
    summary = Summary(len(found.photos), found.left_out, is_dry_run, failed=failed)
    start = time.monotonic()

    def tell() -> None:
        summary.seconds = time.monotonic() - start
        say(summary.line())
        if path is not None:
            write_json(path, summary.to_json())

    try:
        yield summary
    except BaseException as error:
        summary.interrupted = True
        if summary.n_tagged or not isinstance(error, OptionError):
            with suppress(OSError):  # the first error says what happened
                tell()
        raise
    tell()
