"""What several tests share: the folder of real data, small prepared files, a full disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path

import pytest
from helpers.datasets import RUN, SMALL_MODERN, SMALL_NETWORKS, build_dataset
from helpers.photos import packaged, stand_in  # noqa: F401

from mmcgan.training.prepared.dataset import (
    FILE_NAME,
    Dataset,
    write_dataset,
)

_numbers = count()


@pytest.fixture(scope="session", autouse=True)
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The user's cache and data folders while tests run: some of their own."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield folder


@pytest.fixture(autouse=True)
def feature_cache_of_the_test(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test meets the features that a stand-in made in another one."""
    with pytest.MonkeyPatch.context() as patch:
        folder = Path(str(tmp_path_factory.getbasetemp())) / "feature-caches"
        name = f"{next(_numbers)}.sqlite"
        patch.setattr("mmcgan.inference.photos.feature_cache.cache_path", lambda: folder / name)
        yield


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of real photos and texts; tests that need it are skipped where it is absent."""
    beside = Path(__file__).parents[2] / "shared"
    folder = Path(os.environ.get("MMCGAN_SHARED", beside)).resolve()
    if not folder.is_dir():
        pytest.skip(f"the real data are not here ({folder}); MMCGAN_SHARED names their folder")
    return folder


@pytest.fixture(scope="session")
def make_dataset() -> Callable[..., Dataset]:
    """A function that builds a small, valid `Dataset`; see `build_dataset` for its options."""
    return build_dataset


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A folder with a small prepared file that has annotations, thumbnails and a truth."""
    folder = tmp_path / "data" / "small"
    dataset = build_dataset(annotations=True, truth=True, n_thumbnails=2)
    write_dataset(dataset, folder / FILE_NAME)
    return folder


@pytest.fixture
def full_disk() -> Callable[[int], AbstractContextManager[None]]:
    """A context in which no file can grow beyond so many bytes: writing fails as on a full disk."""
    resource = pytest.importorskip("resource", reason="needs limits on the size of files")

    @contextmanager
    def limited(n_bytes: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small prepared folder and a finished run on it: (data, run). Tests do not change them."""
    return _train(tmp_path_factory.mktemp("trained"), [*RUN, *SMALL_NETWORKS])


@pytest.fixture(scope="session")
def trained_modern(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same with the modern preset, long enough to know the topics. Tests do not change it."""
    return _train(tmp_path_factory.mktemp("modern"), [*RUN, *SMALL_MODERN, "--epochs", "20"])


def _train(parent: Path, options: list[str]) -> tuple[Path, Path]:
    from mmcgan.cli import run_command
    from mmcgan.train import main

    data, run = parent / "data", parent / "run"
    dataset = build_dataset(n_images=200, annotations=True, truth=True, n_thumbnails=6)
    write_dataset(dataset, data / FILE_NAME)
    assert run_command(main, ["--data", str(data), "--out", str(run), *options]) == 0
    return data, run
