"""MNIST: its four official IDX files, plain or gzipped, and their download.

An IDX file is a big-endian header and then bytes: the magic number 0x0800 + D, the D sizes, four
bytes each, and one unsigned byte a value. Images have D = 3 (number, height, width), labels D = 1.
Files are not trusted: no more is unpacked than the header promises, and a header cannot promise
more than the limits below.
Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to document
recognition", Proc. IEEE 1998.
"""

from __future__ import annotations

import contextlib
import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from data_prep.archives import MAX_RATIO, RATIO_FREE_BYTES
from data_prep.download import fetch_file
from eval.digits.data import N_CLASSES, LabelledBytes
from mmcgan.arrays import Pixels
from mmcgan.errors import DataError

HOME = "https://ossci-datasets.s3.amazonaws.com/mnist/"
MD5 = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
IMAGES, LABELS = b"\0\0\x08\x03", b"\0\0\x08\x01"  # magic numbers
MAX_IMAGES = 10_000_000
MAX_BYTES = 512 * 2**20  # ten times what the training images take


def read_mnist(root: Path) -> tuple[LabelledBytes, LabelledBytes]:
    """Read the training and the test digits: images (N, H, W) and labels (N,).

    Raises `DataError` if a file is missing, broken, beyond the limits, or unfit for the others.
    """
    paths = [_find(root, name) for name in MD5]
    images, labels, test_images, test_labels = values = [_read_values(path) for path in paths]
    for i in (0, 2):
        if len(values[i]) != len(values[i + 1]):
            raise DataError(
                f"{paths[i]} holds {len(values[i])} images and {paths[i + 1]} "
                f"{len(values[i + 1])} labels; there must be one label an image"
            )
    if images.shape[1:] != test_images.shape[1:]:
        raise DataError(
            f"{paths[0]} holds images of the size {images.shape[1:]} and {paths[2]} of "
            f"{test_images.shape[1:]}; they must be of one size"
        )
    return (images, labels.astype(np.int64)), (test_images, test_labels.astype(np.int64))


def download_mnist(root: Path) -> None:
    """Fetch those of the four files into `root` that are not there and whole, under any name.

    Raises `DataError` if `root` is a file, or the server cannot be reached, breaks off, or sends
    a wrong file.
    """
    if root.is_file():
        raise DataError(f"{root} is a file; it must be a folder, or a new name for one")
    for name, md5 in MD5.items():
        with contextlib.suppress(DataError):
            _read_values(_find(root, name))
            continue
        fetch_file(HOME + name, root / name, md5)


def _find(root: Path, name: str) -> Path:
    """Return where a file lies; a gzipped one comes first because it carries a checksum."""
    dotted = name.replace("-idx", ".idx")  # as some programs unpack it
    names = [name, dotted, name.removesuffix(".gz"), dotted.removesuffix(".gz")]
    for path in (root / name for name in names):
        if path.is_file():
            return path
    raise DataError(
        f"{root} holds none of {', '.join(names)}; one of them must be there, and so must MNIST's "
        f"other files: {HOME} has them"
    )


def _read_values(path: Path) -> Pixels:
    """Read pixels (N, H, W) or labels (N,). Raises `DataError` if anything is wrong."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            shape = _read_shape(path, file)
            n_bytes = math.prod(shape)
            # A byte more shows whether the file ends there, and a gzipped one checks itself there.
            data = file.read(n_bytes + 1)
    except (gzip.BadGzipFile, zlib.error, EOFError) as reason:
        raise DataError(f"{path} is not a whole gzip file ({reason}); fetch it again") from None
    except OSError as reason:
        raise DataError(f"{path} cannot be read: {reason.strerror}") from None
    if len(data) != n_bytes:
        found = "more" if len(data) > n_bytes else "less"
        raise DataError(f"{path} holds {found} than the {n_bytes} bytes that its header promises")
    # A copy, because an array on `bytes` is read-only, of which torch warns.
    values = np.frombuffer(data, np.uint8).reshape(shape).copy()
    if len(shape) == 1 and values.max() >= N_CLASSES:
        raise DataError(f"{path} holds the label {values.max()}; labels are 0 to {N_CLASSES - 1}")
    return values


def _read_shape(path: Path, file: BinaryIO | gzip.GzipFile) -> tuple[int, ...]:
    """Read the sizes in a file's header, and check that it is of the kind that its name says."""
    magic, n_sizes = (IMAGES, 3) if "idx3" in path.name else (LABELS, 1)
    found = file.read(len(magic))
    if found != magic:
        raise DataError(f"{path} begins with 0x{found.hex()} in place of 0x{magic.hex()}")
    header = file.read(4 * n_sizes)
    if len(header) < 4 * n_sizes:
        raise DataError(f"{path} is truncated: it ends within its header; fetch it again")
    shape = struct.unpack(f">{n_sizes}I", header)
    most = min(MAX_BYTES, max(RATIO_FREE_BYTES, MAX_RATIO * path.stat().st_size))
    if not 0 < math.prod(shape) <= most or shape[0] > MAX_IMAGES:
        raise DataError(
            f"{path} is refused: its header promises {shape} bytes; there must be one at least, "
            f"and {most} and {MAX_IMAGES} images at most"
        )
    return shape
