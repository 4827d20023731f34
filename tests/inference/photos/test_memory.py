"""Memory of all decoders together: who waits, who is refused, and what photos are taken to need."""

from __future__ import annotations

import struct
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from helpers.photos import decoded
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from mmcgan.errors import PhotoError
from mmcgan.inference.photos import memory
from mmcgan.inference.photos.images import open_photo
from mmcgan.inference.photos.memory import Room, buffer_bytes, memory_size, pixel_bytes

SECONDS = 10


def encode(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def noise(size: tuple[int, int], n: int = 3) -> Image.Image:
    shape = (size[1], size[0], n)
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, shape, np.uint8))


class CountingRoom(Room):
    """A room that knows the most that was held in it at once."""

    most = 0

    def _wait(self, n_bytes: int) -> None:
        super()._wait(n_bytes)
        self.most = max(self.most, self.size - self.free + n_bytes)


# --- who waits --------------------------------------------------------------------------------


def test_no_more_is_held_than_there_is():
    room = CountingRoom(100)

    def hold(n_bytes: int) -> None:
        with room.hold(n_bytes):
            assert room.free >= 0

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(hold, [30, 90, 1, 100, 60, 500, 45, 7] * 50))
    assert room.most == 100
    assert room.free == 100


def test_who_needs_all_of_it_is_not_passed_by_those_who_need_little():
    room = Room(100)
    order: list[str] = []
    inside, leave = threading.Event(), threading.Event()

    def hold(name: str, n_bytes: int) -> None:
        with room.hold(n_bytes):
            order.append(name)
            inside.set()
            leave.wait(SECONDS)

    threads = []
    for name, n_bytes in (("first", 60), ("large", 1000), ("small", 10)):
        threads.append(threading.Thread(target=hold, args=(name, n_bytes)))
        threads[-1].start()
        inside.wait(SECONDS) if name == "first" else _wait_until(room, len(threads) - 1)
    assert order == ["first"]
    leave.set()
    for thread in threads:
        thread.join(SECONDS)
    assert order == ["first", "large", "small"]


def _wait_until(room: Room, n_waiting: int) -> None:
    for _ in range(SECONDS * 100):
        if len(room._waiting) == n_waiting:
            return
        threading.Event().wait(0.01)
    raise AssertionError("nobody waits")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux says what was taken")
def test_memory_of_a_photo_is_free_for_other_threads_when_it_is_done_with(tmp_path):
    (tmp_path / "grey.png").write_bytes(
        encode(Image.new("RGB", (4000, 4000)), "PNG", compress_level=1)
    )
    script = (
        "import sys; from concurrent.futures import ThreadPoolExecutor; from pathlib import Path\n"
        "from mmcgan.inference.photos import images, memory\n"
        "memory.PIXELS = memory.Room(1)\n"  # one photo at a time
        "def look(_):\n"
        "    with images.open_photo(Path(sys.argv[1])) as image: image.getpixel((0, 0))\n"
        "with ThreadPoolExecutor(8) as pool: list(pool.map(look, range(16)))\n"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    command = [sys.executable, "-c", script, tmp_path / "grey.png"]
    taken = subprocess.run(command, capture_output=True, check=True).stdout
    assert int(taken) < 300 * 2**10  # KiB: the libraries, and two pictures of 61 MiB


def test_what_fails_gives_its_memory_back():
    room = Room(100)
    with pytest.raises(RuntimeError), room.hold(80):
        raise RuntimeError
    assert room.free == 100


def test_who_is_interrupted_while_waiting_leaves_the_line(monkeypatch):
    room = Room(100)

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(room._changed, "wait_for", interrupt)
        with pytest.raises(KeyboardInterrupt), room.hold(10):
            raise AssertionError
    with room.hold(100):
        assert room.free == 0


def test_the_budget_is_stated_and_no_more_than_half_of_the_memory():
    size = memory_size()
    assert size is None or size // 2 == memory.ALONE
    assert memory.FILES.size + memory.PIXELS.size == memory.TOGETHER <= 2 * 2**30


# --- photos -----------------------------------------------------------------------------------


def test_decoders_together_hold_no_more_than_the_budget(monkeypatch):
    data = encode(noise((100, 80)), "PNG")
    with open_photo(data) as image:
        one = pixel_bytes(image)
    room = CountingRoom(5 * one // 2)
    monkeypatch.setattr(memory, "PIXELS", room)
    at_once, together = [0], threading.Barrier(2)

    def look(_: int) -> None:
        with open_photo(data):
            at_once.append(room.size - room.free)
            together.wait(SECONDS)  # two at a time, and never a third

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(look, range(16)))
    assert room.most == 2 * one
    assert max(at_once) <= room.size
    assert room.free == room.size


def test_memory_is_held_until_the_photo_is_done_with(monkeypatch):
    monkeypatch.setattr(memory, "PIXELS", Room(10**9))
    monkeypatch.setattr(memory, "FILES", Room(10**9))
    data = encode(noise((100, 80)), "PNG")
    with open_photo(data) as image:
        assert memory.PIXELS.free == 10**9 - pixel_bytes(image)
        assert memory.FILES.free == 10**9 - len(data)
    assert memory.PIXELS.free == memory.FILES.free == 10**9
    with pytest.raises(PhotoError):
        decoded(data[:-200])
    assert memory.PIXELS.free == memory.FILES.free == 10**9


def test_a_photo_that_takes_more_than_half_of_the_memory_is_refused_with_the_reason(monkeypatch):
    monkeypatch.setattr(memory, "ALONE", 50_000)
    assert decoded(encode(noise((50, 50)), "PNG")).size == (50, 50)
    with pytest.raises(PhotoError, match=r"big\.png would take .* MiB of memory .* half"):
        decoded(encode(noise((100, 100)), "PNG"), "big.png")
    large = encode(noise((200, 200)), "JPEG")
    assert decoded(large, at_least=10).size == (25, 25)


# --- what is estimated ------------------------------------------------------------------------


def jpeg(**options: object) -> JpegImageFile:
    return JpegImageFile(BytesIO(encode(noise((160, 80)), "JPEG", **options)))


def test_a_jpeg_of_several_scans_has_all_coefficients_in_memory():
    assert buffer_bytes(jpeg(subsampling="4:2:0"), 0) == 0
    assert buffer_bytes(jpeg(progressive=True, subsampling="4:2:0"), 0) == 2 * 160 * 80 * 3 // 2
    assert buffer_bytes(jpeg(progressive=True, subsampling="4:4:4"), 0) == 2 * 160 * 80 * 3
    data = bytearray(encode(noise((160, 80)), "JPEG", subsampling="4:4:4"))
    data[data.index(b"\xff\xda") + 4] = 1  # a first scan of one component
    assert buffer_bytes(JpegImageFile(BytesIO(bytes(data))), 0) == 2 * 160 * 80 * 3


def test_a_jpeg_that_is_decoded_smaller_takes_less():
    image = jpeg()
    assert pixel_bytes(image) == 160 * 80 * 9
    image.draft(None, (20, 20))
    assert pixel_bytes(image) == 40 * 20 * 9


def test_a_strip_of_a_tiff_is_in_memory_encoded_and_decoded():
    data = encode(noise((160, 80)), "TIFF", compression="tiff_lzw")
    n_bytes = buffer_bytes(TiffImageFile(BytesIO(data)), len(data))
    assert 160 * 80 * 4 + 160 * 80 * 3 <= n_bytes <= 160 * 80 * 4 + len(data)


def test_a_tile_that_is_larger_than_any_memory_is_refused():
    data = encode(noise((16, 16)), "TIFF", compression="tiff_lzw")
    entry = struct.pack("<HHII", 278, 4, 1, 16)
    assert entry in data or struct.pack("<HHIHH", 278, 3, 1, 16, 0) in data
    image = TiffImageFile(BytesIO(data))
    image.tag_v2[322] = image.tag_v2[323] = 2**20
    assert buffer_bytes(image, len(data)) > 2**42


@pytest.mark.parametrize(
    ("mode", "n_bytes"), [("L", 1), ("P", 1), ("RGB", 4), ("RGBA", 4), ("I", 4)]
)
def test_pixels_count_as_they_are_stored_and_once_more_as_rgb(mode, n_bytes):
    assert pixel_bytes(Image.new(mode, (10, 7))) == 70 * (n_bytes + 4 + 1)
