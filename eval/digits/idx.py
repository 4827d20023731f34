"""MNIST: its four official IDX files, plain or gzipped, and their download.

An IDX file is a big-endian header and then bytes: the magic number 0x0800 + D, the D sizes, four
bytes each, and one unsigned byte a value. The images have D = 3 (number, height, width), the
labels D = 1. Files are not trusted: no more is unpacked than the header promises, and a header
cannot promise more than the limits below.
Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to document
recognition", Proc. IEEE 1998.
"""

from __future__ import annotations

import gzip
import io
import math
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data_prep.archives import MAX_RATIO, RATIO_FREE_BYTES
from data_prep.download import fetch_file
from mmcgan.errors import DataError

HOME = "https://ossci-datasets.s3.amazonaws.com/mnist/"
MD5 = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
N_CLASSES = 10
MAX_IMAGES = 10_000_000
MAX_BYTES = 512 * 2**20  # ten times what the training images take

_BYTES_MAGIC = 0x0800  # the type of the values: unsigned bytes
_BROKEN = (gzip.BadGzipFile, zlib.error, EOFError)


@dataclass(frozen=True)
class DigitImages:
    """Grey images and what they show: `images` (N, H, W) uint8, `labels` (N,) int64 0..9."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Idx:
    """One of the four files: its official name without .gz, what it holds, its header's sizes."""

    name: str
    holds: str
    n_sizes: int

    @property
    def magic(self) -> int:
        return _BYTES_MAGIC + self.n_sizes

    @property
    def names(self) -> list[str]:
        """The names looked for; gzipped files come first because they carry checksums."""
        stems = (self.name, self.name.replace("-idx", ".idx"))
        return [stem + suffix for suffix in (".gz", "") for stem in stems]


_TRAIN = (
    _Idx("train-images-idx3-ubyte", "images", 3),
    _Idx("train-labels-idx1-ubyte", "labels", 1),
)
_TEST = (
    _Idx("t10k-images-idx3-ubyte", "images", 3),
    _Idx("t10k-labels-idx1-ubyte", "labels", 1),
)


def read_mnist(root: Path) -> tuple[DigitImages, DigitImages]:
    """Read the training and the test images from the four IDX files in the folder `root`.

    Of a file that is there under several names, the gzipped one is read. Raises `DataError` if
    `root` is no folder, or a file is missing, broken, beyond the limits, or unfit for the others.
    """
    if not root.is_dir():
        names = ", ".join(file.name for file in (*_TRAIN, *_TEST))
        raise DataError(
            f"{root} is {'a file' if root.exists() else 'missing'}; it must be a folder with "
            f"MNIST's four files {names}, each with or without .gz"
        )
    train, test = _read_pair(root, *_TRAIN), _read_pair(root, *_TEST)
    if train.images.shape[1:] != test.images.shape[1:]:
        raise DataError(
            f"{_find(root, _TRAIN[0])} holds images of {_size(train.images)} pixels and "
            f"{_find(root, _TEST[0])} of {_size(test.images)}; they must be of one size"
        )
    return train, test


def download_mnist(root: Path) -> None:
    """Fetch the four files into `root`, unless they are there; a partial file goes on.

    What is there and whole stays, under whichever name and however it was compressed; a broken
    file is replaced, or passed over for the gzipped one. Raises `DataError` if `root` is a file,
    or the server cannot be reached, breaks off, or sends a wrong file.
    """
    if root.exists() and not root.is_dir():
        raise DataError(f"{root} is a file; it must be a folder, or a new name for one")
    for file in (*_TRAIN, *_TEST):
        if not _is_whole(root, file):
            name = file.name + ".gz"
            fetch_file(HOME + name, root / name, MD5[name])


def _is_whole(root: Path, file: _Idx) -> bool:
    try:
        _read_values(_find(root, file), file)
    except DataError:
        return False
    return True


def _read_pair(root: Path, images: _Idx, labels: _Idx) -> DigitImages:
    """Read images and the labels that go with them."""
    images_path, labels_path = _find(root, images), _find(root, labels)
    pixels = _read_values(images_path, images)
    classes = _read_values(labels_path, labels)
    if len(pixels) != len(classes):
        raise DataError(
            f"{images_path} holds {len(pixels)} images and {labels_path} {len(classes)} labels; "
            "there must be one label an image"
        )
    return DigitImages(pixels, classes.astype(np.int64))


def _find(root: Path, file: _Idx) -> Path:
    """Return where `file` lies. Raises `DataError` if it has none of its names."""
    for name in file.names:
        if (root / name).is_file():
            return root / name
    raise DataError(
        f"{root} holds none of {', '.join(file.names)}; one of them must be there, and so must "
        f"MNIST's other files: {HOME} has them"
    )


def _read_values(path: Path, file: _Idx) -> npt.NDArray[np.uint8]:
    """Return pixels (N, H, W) or classes (N,). Raises `DataError` if anything is wrong."""
    try:
        with _open(path) as stream:
            shape = _read_header(path, file, stream)
            # One byte more, to see whether the file ends there; a gzipped file that does has
            # its checksum verified.
            data = stream.read(math.prod(shape) + 1)
    except _BROKEN as reason:
        raise DataError(
            f"{path} is not a whole gzip file ({reason}); it may be truncated: fetch it again"
        ) from None
    except OSError as reason:
        raise DataError(f"{path} cannot be read: {reason.strerror}") from None
    _check_length(path, len(data), math.prod(shape))
    # A copy, because an array on `bytes` is read-only, of which torch warns.
    values = np.frombuffer(data, np.uint8).reshape(shape).copy()
    if file.n_sizes == 1:
        _check_classes(path, values)
    return values


def _open(path: Path) -> io.BufferedIOBase:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _read_header(path: Path, file: _Idx, stream: io.BufferedIOBase) -> tuple[int, ...]:
    """Return the shape of what follows the header, within the limits."""
    magic = _read_numbers(path, stream, 1)[0]
    if magic != file.magic:
        raise DataError(
            f"{path} begins with the magic number {magic:#010x}; "
            f"an IDX file of {file.holds} begins with {file.magic:#010x}"
        )
    shape = _read_numbers(path, stream, file.n_sizes)
    _check_promise(path, file, shape)
    return shape


def _read_numbers(path: Path, stream: io.BufferedIOBase, n: int) -> tuple[int, ...]:
    data = stream.read(4 * n)
    if len(data) < 4 * n:
        raise DataError(f"{path} is truncated: it ends within its header; fetch it again")
    return tuple(int.from_bytes(data[i : i + 4], "big") for i in range(0, 4 * n, 4))


def _check_promise(path: Path, file: _Idx, shape: tuple[int, ...]) -> None:
    """Raise `DataError` if the header promises nothing, or more than is safe to unpack."""
    promised = " x ".join(map(str, shape))
    if 0 in shape:
        raise DataError(
            f"{path} is empty: its header promises {promised} {_unit(file)}; "
            "there must be at least one image of at least one pixel"
        )
    if shape[0] > MAX_IMAGES or math.prod(shape) > MAX_BYTES:
        raise DataError(
            f"{path} is refused: its header promises {promised} {_unit(file)}; at most "
            f"{MAX_IMAGES} {file.holds} and {MAX_BYTES / 2**20:g} MiB are read"
        )
    n_bytes, n_packed = math.prod(shape), path.stat().st_size
    if path.suffix == ".gz" and n_bytes > max(RATIO_FREE_BYTES, MAX_RATIO * n_packed):
        raise DataError(
            f"{path} is refused as a gzip bomb, or is truncated: its {n_packed} bytes promise to "
            f"unpack to {n_bytes}; at most {MAX_RATIO} times its size is allowed"
        )


def _check_length(path: Path, n_found: int, n_promised: int) -> None:
    if n_found < n_promised:
        raise DataError(
            f"{path} is truncated: after its header it holds {n_found} of {n_promised} bytes; "
            "fetch it again"
        )
    if n_found > n_promised:
        raise DataError(
            f"{path} has trailing bytes: it must end after the {n_promised} bytes that its header "
            "promises; fetch it again"
        )


def _check_classes(path: Path, classes: npt.NDArray[np.uint8]) -> None:
    wrong = np.flatnonzero(classes >= N_CLASSES)
    if len(wrong):
        raise DataError(
            f"{path} gives the label {classes[wrong[0]]} to image {wrong[0] + 1} of "
            f"{len(classes)}; labels are 0 to {N_CLASSES - 1}"
        )


def _unit(file: _Idx) -> str:
    return "pixels" if file.n_sizes > 1 else file.holds


def _size(images: npt.NDArray[np.uint8]) -> str:
    return f"{images.shape[1]} x {images.shape[2]}"
