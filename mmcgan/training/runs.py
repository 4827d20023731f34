"""The run folder: what a training run leaves on disk.

config.json        settings and the data they were applied to; written before the first update
log.jsonl          one JSON object a line: measures of training, evaluations on dev, warnings
checkpoint.pt      the last state to go on from; gone when the run is finished
model.json, model.safetensors   the model (`mmcgan.inference.model`); the latter is written
                   last, so that a run is finished where it exists
"""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from mmcgan.errors import OptionError, RunError
from mmcgan.files import atomic_path, read_json, write_json, write_text
from mmcgan.inference.model_dir import RUNS, ModelDir
from mmcgan.options import Config, flag, flattened

CONFIG_VERSION = 2  # settings are in groups; in version 1, which has no number, they were flat


class RunDir(ModelDir):
    """One run folder."""

    @property
    def log_path(self) -> Path:
        """The log, one JSON object a line."""
        return self.path / "log.jsonl"

    @property
    def _config_path(self) -> Path:
        return self.path / "config.json"

    @property
    def _checkpoint_path(self) -> Path:
        return self.path / "checkpoint.pt"

    @property
    def is_started(self) -> bool:
        """Whether the run's settings are frozen."""
        return self._config_path.is_file()

    def write_config(self, config: dict[str, Any]) -> None:
        """Freeze the settings of the run."""
        write_json(self._config_path, config)

    def read_config(self) -> dict[str, Any]:
        """Return the frozen settings. Raises `RunError` if they are missing or broken."""
        config = read_json(self._config_path, RunError)
        if not isinstance(config, dict):
            raise RunError(f"{self._config_path} does not hold the settings of a run")
        return config

    def read_settings(self) -> dict[str, Any]:
        """Return the frozen settings by option, however they are grouped. Raises `RunError`."""
        settings = self.read_config().get("settings", {})
        if not isinstance(settings, dict):
            raise RunError(f"{self._config_path} does not hold the settings of a run")
        return flattened(settings)

    def log(self, record: dict[str, Any]) -> None:
        """Append one record to the log."""
        with self.log_path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")

    def read_log(self) -> list[dict[str, Any]]:
        """Return the records of the log; a last line that was cut short is left out."""
        if not self.log_path.is_file():
            return []
        lines = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        return [record for line in lines if (record := _parsed(line)) is not None]

    def cut_log(self, after_update: int) -> None:
        """Drop the records of updates that are about to be taken again."""
        kept = [r for r in self.read_log() if r.get("update", 0) <= after_update and after_update]
        write_text(self.log_path, "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in kept))

    def save_checkpoint(self, state: dict[str, Any]) -> None:
        """Replace the checkpoint by `state`, whole or not at all."""
        # Through memory, so that a full disk is an OSError like anywhere else.
        import torch

        buffer = io.BytesIO()
        torch.save(state, buffer)
        with atomic_path(self._checkpoint_path) as partial:
            partial.write_bytes(buffer.getbuffer())

    def load_checkpoint(self) -> dict[str, Any] | None:
        """Return the checkpoint's state, None where there is none.

        Raises `RunError` if the file is broken.
        """
        if not self._checkpoint_path.is_file():
            return None
        import torch

        try:
            return torch.load(self._checkpoint_path, map_location="cpu", weights_only=True)
        except Exception as reason:  # torch raises many kinds for a broken file
            raise RunError(
                f"{self._checkpoint_path} is broken ({type(reason).__name__}); delete it to "
                "start the run anew"
            ) from None

    def finish(self) -> None:
        """Remove what only an unfinished run needs."""
        self._checkpoint_path.unlink(missing_ok=True)


class FollowedRun(RunDir):
    """A run folder that another process writes: it is read, and nothing is written."""

    def _leave(self, *args: Any, **kwargs: Any) -> None:
        """Leave it to the process that writes."""

    write_config = log = cut_log = save_checkpoint = write_weights = finish = _leave


def frozen_config(config: Config, left_out: Collection[str] = ()) -> dict[str, Any]:
    """Return settings as a run freezes them, without the options `left_out`."""
    settings = {
        group: {name: value for name, value in options.items() if name not in left_out}
        for group, options in config.to_json().items()
    }
    return {"format_version": CONFIG_VERSION, "settings": settings}


def require_same(
    run: RunDir, frozen: Mapping[str, Any], wanted: Mapping[str, Any], remedy: str = ""
) -> None:
    """Raise `OptionError` for the first option of `wanted` that the run was started without.

    `frozen` and `wanted` are plain JSON values by option.
    """
    for name, value in wanted.items():
        if frozen.get(name) != value:
            raise OptionError(
                f"{flag(name)}: {run.path} was started with {frozen.get(name)!r}, this call says "
                f"{value!r}{remedy and '; '}{remedy}"
            )


def newest_unfinished_run(parent: Path = RUNS) -> Path | None:
    """Return the started, unfinished run folder with the highest number, None without one."""
    found = [p for p in _numbered(parent) if RunDir(p).is_started and not RunDir(p).is_finished]
    return max(found, key=lambda p: int(p.name), default=None)


def next_run(parent: Path = RUNS) -> Path:
    """Return the path of the next numbered run folder: 0001, 0002, …"""
    return parent / f"{max((int(p.name) for p in _numbered(parent)), default=0) + 1:04d}"


def _numbered(parent: Path) -> list[Path]:
    return [p for p in parent.glob("*/") if p.name.isdecimal()]


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
