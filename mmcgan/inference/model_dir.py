"""Where models lie: the files of one, the newest one under ./runs, the one that ships."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from mmcgan.errors import RunError
from mmcgan.files import atomic_path

RUNS = Path("runs")
PRETRAINED = Path(__file__).parents[1] / "pretrained"  # the model that ships with mmcgan


class ModelDir:
    """A folder with a model: a finished run, or the one that ships."""

    def __init__(self, path: Path):
        self.path = path
        self.model_path = path / "model.json"  # the description of the model
        # The weights are written last: with them the model is whole, and its run finished.
        self.weights_path = path / "model.safetensors"

    @property
    def is_finished(self) -> bool:
        """Whether the folder holds a whole model."""
        return self.weights_path.is_file()

    def write_weights(self, weights: Mapping[str, npt.NDArray[Any]]) -> None:
        """Write the weights by name, which makes the model whole."""
        from safetensors.numpy import save

        # Through memory, so that a full disk is an OSError like anywhere else.
        data = save(dict(weights))
        with atomic_path(self.weights_path) as partial:
            partial.write_bytes(data)


def newest_finished_run(parent: Path = RUNS) -> Path:
    """Return the finished run folder under `parent` whose model is the newest.

    Raises `RunError` if there is none.
    """
    newest = _newest_finished(parent)
    if newest is None:
        raise RunError(
            f"no finished run under {parent}/; train one with python -m mmcgan.train, or name "
            "one with --run"
        )
    return newest


def default_model(parent: Path = RUNS) -> Path:
    """Return the newest finished run folder under `parent`, without one the packaged model.

    Raises `RunError` if that is missing too.
    """
    newest = _newest_finished(parent)
    if newest is None and not ModelDir(PRETRAINED).is_finished:
        raise RunError(
            f"no finished run under {parent}/, and the model that ships with mmcgan is missing "
            f"(no {ModelDir(PRETRAINED).weights_path}); train one with python -m mmcgan.train, or "
            "name one with --run, or install mmcgan with its model"
        )
    return newest or PRETRAINED


def named_model(run: str | Path | None) -> Path:
    """Return the run folder of that name, or `default_model` for None; raises as that does.

    An empty name, which would be the working folder, is a `RunError` as well.
    """
    if run == "":
        raise RunError("the name of the run is empty; is a variable unset?")
    return default_model() if run is None else Path(run)


def describe_model(run: Path) -> str:
    """Say in a few words which model is taken."""
    return "model: the one that ships with mmcgan" if run == PRETRAINED else f"run: {run}"


def model_name(run: Path) -> str:
    """Return the name that keywords written by a model carry: that of its run."""
    return "mmcgan" if run == PRETRAINED else run.resolve().name


def _newest_finished(parent: Path) -> Path | None:
    found = [path for path in parent.glob("*/") if ModelDir(path).is_finished]
    return max(
        found, key=lambda p: (ModelDir(p).weights_path.stat().st_mtime_ns, p.name), default=None
    )
