"""What a command writes: in any encoding, a line for a line, and no word of a library's own."""

from __future__ import annotations

import faulthandler
import io
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any, TextIO, cast

from tqdm import tqdm

from mmcgan.errors import PhotoWarning, escaped

_STDERR = 2  # the file descriptor, where C code writes
_MAY_FAIL = ("strict", "surrogateescape")  # at a character that the encoding does not have
_TALKATIVE = ("PIL", "pillow_heif")  # about oddities of a photo, without its name


def write_any_text() -> None:
    """Let what is written hold any text: what the encoding does not have is replaced."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in _MAY_FAIL:
            stream.reconfigure(errors="replace")


def occupy_closed_streams() -> None:
    """Let no file have the number of a stream that was closed: what C code says would go there."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(number)


@contextmanager
def shown_warnings(say: Callable[[str], None]) -> Iterator[None]:
    """Show each `PhotoWarning` of the block once, by `say`, and none of Python's decoders."""
    seen: set[str] = set()
    with warnings.catch_warnings():
        others = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: object) -> None:
            if not issubclass(category, PhotoWarning):
                others(message, category, *where)  # type: ignore[arg-type]
            elif str(message) not in seen:
                seen.add(str(message))
                with tqdm.external_write_mode():
                    say(escaped(str(message)))

        warnings.showwarning = show  # type: ignore[assignment]
        warnings.simplefilter("always", PhotoWarning)
        for library in _TALKATIVE:
            warnings.filterwarnings("ignore", module=library)
            logging.getLogger(library).addHandler(logging.NullHandler())
        yield


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep from the terminal what decoders in C write to stderr, where they name no photo.

    What Python writes there still reaches it, also when a decoder ends the process.
    """
    if not _is_descriptor(sys.__stderr__):  # it is closed, and its number may be another file's
        yield
        return
    with _reopened_stderr() as ours, Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), _STDERR)
        shown = ours if _is_descriptor(sys.stderr) else sys.stderr
        try:
            with redirect_stderr(shown), _crashes_shown(ours):
                yield
        finally:
            os.dup2(ours.fileno(), _STDERR)


def _reopened_stderr() -> TextIO:
    """Return a stream like stderr, on a descriptor of its own."""
    stream = cast(TextIO, sys.__stderr__)
    return os.fdopen(os.dup(_STDERR), "w", 1, stream.encoding, stream.errors)


def _is_descriptor(stream: Any) -> bool:
    """Whether `stream` writes to the process's own stderr, and was not put in its place."""
    try:
        return stream.fileno() == _STDERR
    except (AttributeError, OSError, ValueError):
        return False


@contextmanager
def _crashes_shown(stream: TextIO) -> Iterator[None]:
    if faulthandler.is_enabled():
        yield
        return
    faulthandler.enable(stream)
    try:
        yield
    finally:
        faulthandler.disable()
