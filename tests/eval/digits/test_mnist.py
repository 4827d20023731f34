"""MNIST's four IDX files: plain, gzipped, broken, hostile, and downloaded."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import struct
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from eval.digits import mnist
from eval.digits.mnist import download_mnist, read_mnist
from mmcgan.errors import DataError

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
NAMES = [TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS]
IMAGES_MAGIC, LABELS_MAGIC = 0x0803, 0x0801


def numbers(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def images_file(n: int, height: int = 4, width: int = 3) -> bytes:
    pixels = (np.arange(n * height * width) % 256).astype(np.uint8)
    return numbers(IMAGES_MAGIC, n, height, width) + pixels.tobytes()


def labels_file(*labels: int) -> bytes:
    return numbers(LABELS_MAGIC, len(labels)) + bytes(labels)


FILES = {
    TRAIN_IMAGES: images_file(5),
    TRAIN_LABELS: labels_file(0, 9, 1, 1, 5),
    TEST_IMAGES: images_file(2),
    TEST_LABELS: labels_file(7, 2),
}


def put_plain(root: Path, files: dict[str, bytes] = FILES) -> None:
    root.mkdir(exist_ok=True)
    for name, data in files.items():
        (root / name).write_bytes(data)


def put_gzipped(root: Path, files: dict[str, bytes] = FILES) -> None:
    put_plain(root, {f"{name}.gz": gzip.compress(data) for name, data in files.items()})


def put_with_dots(root: Path) -> None:
    put_plain(root, {name.replace("-idx", ".idx"): data for name, data in FILES.items()})


def put_gzipped_with_dots(root: Path) -> None:
    put_gzipped(root, {name.replace("-idx", ".idx"): data for name, data in FILES.items()})


def put_mixed(root: Path) -> None:
    put_plain(root, {name: FILES[name] for name in (TRAIN_IMAGES, TEST_LABELS)})
    put_gzipped(root, {name: FILES[name] for name in (TRAIN_LABELS, TEST_IMAGES)})


def put_beside_folders_of_the_same_names(root: Path) -> None:
    """As programs that unpack each file into a folder of its own leave it."""
    for name in NAMES:
        (root / name).mkdir(parents=True)
    put_with_dots(root)


LAYOUTS = [
    put_plain,
    put_gzipped,
    put_with_dots,
    put_gzipped_with_dots,
    put_mixed,
    put_beside_folders_of_the_same_names,
]
PLAIN_AND_GZIPPED = pytest.mark.parametrize(
    ("put", "suffix"), [(put_plain, ""), (put_gzipped, ".gz")]
)
Put = Callable[[Path, dict[str, bytes]], None]


def refusal(root: Path) -> str:
    """The message with which `read_mnist` refuses `root`."""
    with pytest.raises(DataError) as error:
        read_mnist(root)
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("lay_out", LAYOUTS)
def test_read_mnist_reads_every_layout(tmp_path, lay_out):
    lay_out(tmp_path)
    for (images, labels), classes in zip(
        read_mnist(tmp_path), ([0, 9, 1, 1, 5], [7, 2]), strict=True
    ):
        assert images.shape == (len(classes), 4, 3)
        assert images.ravel().tolist() == list(range(12 * len(classes)))
        assert labels.tolist() == classes
        assert (images.dtype, labels.dtype) == (np.uint8, np.int64)
        assert images.flags.writeable


def test_read_mnist_prefers_the_gzipped_file_to_what_was_unpacked_of_it(tmp_path):
    put_gzipped(tmp_path)
    put_plain(tmp_path, {name: data[:-1] for name, data in FILES.items()})
    assert len(read_mnist(tmp_path)[0][0]) == 5


@pytest.mark.parametrize("is_file", [False, True])
def test_read_mnist_refuses_a_root_that_is_no_folder(tmp_path, is_file):
    if is_file:
        (tmp_path / "mnist").write_bytes(b"")
    assert f"{tmp_path / 'mnist'} holds none of {TRAIN_IMAGES}.gz" in refusal(tmp_path / "mnist")


@pytest.mark.parametrize("name", NAMES)
def test_read_mnist_says_which_file_is_missing_and_what_it_may_be_called(tmp_path, name):
    put_gzipped(tmp_path)
    (tmp_path / f"{name}.gz").unlink()
    dotted = name.replace("-idx", ".idx")
    expected = f"{tmp_path} holds none of {name}.gz, {dotted}.gz, {name}, {dotted};"
    assert refusal(tmp_path).startswith(expected)


TRUNCATED, REFUSED = "truncated: it ends within its header", "is refused: its header promises"
BAD_CONTENTS = [
    (TRAIN_IMAGES, b"", "begins with 0x in place of 0x00000803"),
    (TRAIN_IMAGES, numbers(IMAGES_MAGIC)[:3], "begins with 0x000008 in place of 0x00000803"),
    (TRAIN_IMAGES, images_file(5)[:15], TRUNCATED),
    (TEST_LABELS, labels_file(7, 2)[:7], TRUNCATED),
    (TRAIN_IMAGES, images_file(5)[:16], "holds less than the 60 bytes that its header promises"),
    (TRAIN_IMAGES, images_file(5)[:-1], "holds less than the 60 bytes"),
    (TEST_LABELS, labels_file(7, 2)[:-1], "holds less than the 2 bytes"),
    (TEST_IMAGES, images_file(2) + b"x", "holds more than the 24 bytes"),
    (TRAIN_LABELS, labels_file(0, 9, 1, 1, 5) + b"\0", "holds more than the 5 bytes"),
    (TRAIN_IMAGES, FILES[TRAIN_LABELS], "begins with 0x00000801 in place of 0x00000803"),
    (TEST_LABELS, FILES[TEST_IMAGES], "begins with 0x00000803 in place of 0x00000801"),
    (TRAIN_IMAGES, numbers(0x0D03, 1, 1, 1) + bytes(4), "begins with 0x00000d03"),
    (TRAIN_IMAGES, struct.pack("<4I", 0x0803, 5, 4, 3) + bytes(60), "begins with 0x03080000"),
    (TRAIN_IMAGES, b"<html>moved</html>", "begins with 0x3c68746d"),
    (TRAIN_IMAGES, images_file(0), f"{REFUSED} (0, 4, 3) bytes; there must be one at least"),
    (TRAIN_IMAGES, images_file(5, 0, 3), f"{REFUSED} (5, 0, 3) bytes"),
    (TRAIN_LABELS, labels_file(), f"{REFUSED} (0,) bytes"),
    (TRAIN_IMAGES, numbers(IMAGES_MAGIC, *[2**32 - 1] * 3), f"{REFUSED} (4294967295, 4294967295, "),
    (TRAIN_IMAGES, numbers(IMAGES_MAGIC, 1, 2**16, 2**16), f"{REFUSED} (1, 65536, 65536) bytes"),
    (TEST_LABELS, numbers(LABELS_MAGIC, 10_000_001), "10000000 images at most"),
    (TRAIN_LABELS, labels_file(0, 9, 10, 1, 5), "holds the label 10; labels are 0 to 9"),
    (TEST_LABELS, labels_file(255, 2), "holds the label 255; labels are 0 to 9"),
    (TRAIN_IMAGES, images_file(4), "holds 4 images and"),
    (TEST_LABELS, labels_file(1, 2, 3), "3 labels; there must be one label an image"),
    (TEST_IMAGES, images_file(2, 3, 4), "of (3, 4); they must be of one size"),
]


@PLAIN_AND_GZIPPED
@pytest.mark.parametrize(("name", "data", "problem"), BAD_CONTENTS)
def test_read_mnist_names_the_file_and_what_is_wrong_with_it(
    tmp_path, put: Put, suffix, name, data, problem
):
    put(tmp_path, {**FILES, name: data})
    message = refusal(tmp_path)
    assert f"{tmp_path / name}{suffix} " in message
    assert problem in message


def test_read_mnist_names_both_files_that_do_not_fit_each_other(tmp_path):
    put_plain(tmp_path, {**FILES, TRAIN_LABELS: labels_file(1)})
    assert refusal(tmp_path) == (
        f"{tmp_path / TRAIN_IMAGES} holds 5 images and {tmp_path / TRAIN_LABELS} 1 labels; "
        "there must be one label an image"
    )
    put_plain(tmp_path, {**FILES, TEST_IMAGES: images_file(2, 5, 5)})
    assert refusal(tmp_path) == (
        f"{tmp_path / TRAIN_IMAGES} holds images of the size (4, 3) and {tmp_path / TEST_IMAGES} "
        "of (5, 5); they must be of one size"
    )


PACKED = gzip.compress(FILES[TRAIN_IMAGES], mtime=0)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (FILES[TRAIN_IMAGES], "Not a gzipped file"),
        (b"<html>moved</html>", "Not a gzipped file"),
        (PACKED[:5], "ended before"),
        (PACKED[:30], "ended before"),
        (PACKED[:-1], "ended before"),
        (PACKED[:-8] + bytes(4) + PACKED[-4:], "CRC check failed"),
        (PACKED[:-4] + bytes(4), "Incorrect length"),
        (PACKED[:10] + b"\xff" * 20 + PACKED[30:], "invalid block type"),
        (PACKED + b"more", "Not a gzipped file"),
    ],
)
def test_read_mnist_refuses_a_broken_gzip_file(tmp_path, data, problem):
    put_gzipped(tmp_path)
    (tmp_path / f"{TRAIN_IMAGES}.gz").write_bytes(data)
    message = refusal(tmp_path)
    assert message.startswith(f"{tmp_path / TRAIN_IMAGES}.gz is not a whole gzip file (")
    assert problem in message


def test_read_mnist_refuses_an_empty_gzip_file(tmp_path):
    put_gzipped(tmp_path)
    (tmp_path / f"{TRAIN_IMAGES}.gz").write_bytes(b"")
    assert f"{TRAIN_IMAGES}.gz begins with 0x in place of" in refusal(tmp_path)


def peak_bytes_of_refusal(root: Path) -> tuple[str, int]:
    tracemalloc.start()
    try:
        return refusal(root), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (numbers(IMAGES_MAGIC, 40_000, 28, 28), "its header promises (40000, 28, 28) bytes"),
        (numbers(IMAGES_MAGIC, 5, 4, 3), "holds more than the 60 bytes"),
        (numbers(IMAGES_MAGIC, 2**31, 28, 28), "and 10000000 images at most"),
        (b"bomb", "begins with 0x626f6d62"),
    ],
)
def test_read_mnist_refuses_a_gzip_bomb_without_unpacking_it(tmp_path, header, problem):
    put_gzipped(tmp_path, {**FILES, TRAIN_IMAGES: header + bytes(40_000 * 28 * 28)})
    assert (tmp_path / f"{TRAIN_IMAGES}.gz").stat().st_size < 40_000
    message, peak = peak_bytes_of_refusal(tmp_path)
    assert f"{TRAIN_IMAGES}.gz" in message
    assert problem in message
    assert peak < 2**21


def test_read_mnist_takes_blank_images_within_reason(tmp_path):
    """A million blank pixels shrink far more than photos do, and fill no memory."""
    blank = numbers(IMAGES_MAGIC, 5, 400, 400) + bytes(800_000)
    put_gzipped(tmp_path, {**FILES, TRAIN_IMAGES: blank, TEST_IMAGES: images_file(2, 400, 400)})
    assert not read_mnist(tmp_path)[0][0].any()


def test_read_mnist_says_why_a_file_cannot_be_opened(tmp_path, monkeypatch):
    put_plain(tmp_path)

    def refuse(self: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    assert refusal(tmp_path) == f"{tmp_path / TRAIN_IMAGES} cannot be read: Permission denied"


def test_read_mnist_on_the_real_files(shared_dir):
    root = shared_dir / "mnist"
    if not root.is_dir():
        pytest.skip(f"MNIST is not here ({root})")
    (images, labels), (test_images, test_labels) = read_mnist(root)
    assert images.shape == (60_000, 28, 28)
    assert test_images.shape == (10_000, 28, 28)
    expected = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(labels).tolist() == expected
    assert len(test_labels) == 10_000
    assert sorted(set(test_labels.tolist())) == list(range(10))
    assert labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert images.max() == 255
    assert images.mean() / 255 == pytest.approx(0.1307, abs=5e-5)  # the usual constant


# --- download -----------------------------------------------------------------------------------


class Home(http.server.BaseHTTPRequestHandler):
    """Serves `files` by name, and notes what it was asked for."""

    files: dict[str, bytes]
    asked: list[str]

    def do_GET(self) -> None:
        name = self.path.removeprefix("/mnist/")
        self.asked.append(name)
        if name not in self.files:
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.files[name])))
        self.end_headers()
        self.wfile.write(self.files[name])

    def log_message(self, *_: object) -> None:
        pass


PACKED_NAMES = [f"{name}.gz" for name in NAMES]


@pytest.fixture
def home(monkeypatch) -> Iterator[type[Home]]:
    """The files' home on this machine: the handler to play tricks with."""
    packed = {f"{name}.gz": gzip.compress(data, mtime=0) for name, data in FILES.items()}

    class Handler(Home):
        files = packed
        asked = []  # noqa: RUF012

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(mnist, "HOME", f"http://127.0.0.1:{server.server_port}/mnist/")
    for name, data in packed.items():
        monkeypatch.setitem(mnist.MD5, name, hashlib.md5(data).hexdigest())
    yield Handler
    server.shutdown()
    server.server_close()
    thread.join()


def listing(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


def test_download_mnist_fetches_what_read_mnist_reads(tmp_path, home):
    download_mnist(tmp_path / "new")
    assert home.asked == PACKED_NAMES
    assert listing(tmp_path / "new") == sorted(PACKED_NAMES)
    assert read_mnist(tmp_path / "new")[0][1].tolist() == [0, 9, 1, 1, 5]


@pytest.mark.parametrize("lay_out", LAYOUTS)
def test_download_mnist_leaves_whole_files_alone(tmp_path, home, lay_out):
    lay_out(tmp_path)
    before = listing(tmp_path)
    download_mnist(tmp_path)
    assert home.asked == []
    assert listing(tmp_path) == before


def test_download_mnist_fetches_only_what_is_missing(tmp_path, home):
    put_plain(tmp_path, {name: FILES[name] for name in (TRAIN_IMAGES, TEST_LABELS)})
    download_mnist(tmp_path)
    assert home.asked == [f"{TRAIN_LABELS}.gz", f"{TEST_IMAGES}.gz"]
    assert len(read_mnist(tmp_path)[1][0]) == 2


@PLAIN_AND_GZIPPED
def test_download_mnist_makes_up_for_broken_files(tmp_path, home, put: Put, suffix):
    put(tmp_path, {**FILES, TRAIN_IMAGES: images_file(5)[:-1], TEST_LABELS: labels_file(7, 12)})
    download_mnist(tmp_path)
    assert home.asked == [f"{TRAIN_IMAGES}.gz", f"{TEST_LABELS}.gz"]
    (images, _), (_, test_labels) = read_mnist(tmp_path)
    assert len(images) == 5
    assert test_labels.tolist() == [7, 2]


def test_download_mnist_refuses_a_file_with_the_wrong_checksum(tmp_path, home):
    home.files[f"{TRAIN_LABELS}.gz"] = gzip.compress(labels_file(1, 1, 1, 1, 1))
    with pytest.raises(
        DataError, match=rf"{TRAIN_LABELS}\.gz does not have the expected md5"
    ) as error:
        download_mnist(tmp_path)
    assert "\n" not in str(error.value)
    assert listing(tmp_path) == [f"{TRAIN_IMAGES}.gz"]


def test_download_mnist_says_when_a_file_is_gone(tmp_path, home):
    del home.files[f"{TEST_LABELS}.gz"]
    with pytest.raises(DataError, match=rf"{TEST_LABELS}\.gz cannot be fetched: .*404"):
        download_mnist(tmp_path)


def test_download_mnist_refuses_a_root_that_is_a_file(tmp_path, home):
    (tmp_path / "mnist").write_bytes(b"")
    with pytest.raises(DataError, match="mnist is a file; it must be a folder"):
        download_mnist(tmp_path / "mnist")
    assert home.asked == []


def test_md5_has_an_entry_for_each_file():
    assert list(mnist.MD5) == PACKED_NAMES
    assert all(len(bytes.fromhex(md5)) == 16 for md5 in mnist.MD5.values())
