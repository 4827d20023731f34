"""The errors of mmcgan. Each message is one line, written to be shown to the user as it is.

A message says what is wrong, with which file or option, and what would be right. Only the command
line prints errors and turns them into an exit status (`mmcgan.cli`).
"""

from __future__ import annotations

import re

# Control characters, among them line breaks and what begins a command to the terminal, and the
# marks by which a text is shown in another order than it is written.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def escaped(text: str) -> str:
    """Return `text` as one line, with each control character as an escape: `\\n`, `\\x1b`."""
    return _CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def one_line(reason: Exception, length: int = 200) -> str:
    """Return the message of another library's error, cut to one line of at most `length`."""
    text = " ".join(str(reason).split()) or type(reason).__name__
    return text if len(text) <= length else text[:length] + "…"


class MmcganError(Exception):
    """Base of all errors that mmcgan raises on purpose; the process ends with `exit_status`."""

    exit_status = 1

    def __str__(self) -> str:
        """Return the message as one line, whatever is in a file's name."""
        return escaped(super().__str__())


class OptionError(MmcganError):
    """An option, or a value given to one, that cannot be used."""

    exit_status = 2


class DataError(MmcganError):
    """A raw collection or a prepared file that is missing, broken or unsuitable."""


class PhotoError(MmcganError):
    """A photo that cannot be opened or decoded."""


class PhotoWarning(UserWarning):
    """A photo that was taken, and is not quite as it should be."""


class MetadataError(MmcganError):
    """Keywords of a photo that cannot be read, or that could not be taken out again if written."""


class RunError(MmcganError):
    """A run folder that is missing, unfinished, broken or made from other data."""


class TrainingError(MmcganError):
    """Training cannot go on: a loss or a weight is no longer a number."""


class RankError(MmcganError):
    """Another process of a distributed job has ended, or works on something else."""


class DependencyError(MmcganError):
    """An optional package is needed and not installed. The message names the command."""
