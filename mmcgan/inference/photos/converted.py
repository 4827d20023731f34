"""Networks converted for OpenVINO, kept in the user's cache folder.

Tracing and converting a network takes seconds of a first photo's time; reading what it came to, a
tenth of one. What is kept can be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from mmcgan.files import user_cache

VERSION = 1  # of the conversion: networks that another one made are converted again

_FILE_NAME = "network.xml"  # and its weights beside it
_DIGEST_NAME = "sha256"  # of both


def cache_folder() -> Path:
    """Return the folder of what is kept."""
    return user_cache("openvino")


def read_or_convert(ov: ModuleType, facts: dict[str, Any], convert: Callable[[], Any]) -> Any:
    """Return the converted network that `facts` (JSON) name, made by `convert` where none is kept.

    Without a folder that can be written to, nothing is kept.
    """
    network = read_kept(ov, facts)
    if network is not None:
        return network
    network = convert()
    with contextlib.suppress(OSError, RuntimeError):
        _keep(ov, network, _folder(ov, facts))
        # As it will be the next time: one that was read may round differently.
        network = ov.Core().read_model(_folder(ov, facts) / _FILE_NAME)
    return network


def read_kept(ov: ModuleType, facts: dict[str, Any]) -> Any | None:
    """Return the converted network that `facts` (JSON) name; None where none is kept as it was."""
    folder = _folder(ov, facts)
    try:
        if (folder / _DIGEST_NAME).read_text("ascii") != _digest(folder):
            return None
        return ov.Core().read_model(folder / _FILE_NAME)
    except (OSError, UnicodeError, RuntimeError):
        return None


def _folder(ov: ModuleType, facts: dict[str, Any]) -> Path:
    text = json.dumps({**facts, "openvino": ov.__version__, "version": VERSION}, sort_keys=True)
    return cache_folder() / hashlib.sha256(text.encode()).hexdigest()[:32]


def _digest(folder: Path) -> str:
    """Return the SHA-256 of the network and its weights."""
    digest = hashlib.sha256()
    for suffix in (".xml", ".bin"):
        digest.update((folder / _FILE_NAME).with_suffix(suffix).read_bytes())
    return digest.hexdigest()


def _keep(ov: ModuleType, network: Any, folder: Path) -> None:
    """Write a network into `folder`, which is whole or not there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as partial:
        ov.save_model(network, Path(partial) / _FILE_NAME, compress_to_fp16=False)
        (Path(partial) / _DIGEST_NAME).write_text(_digest(Path(partial)), "ascii")
        shutil.rmtree(folder, ignore_errors=True)
        Path(partial).rename(folder)
