"""Photos that are nearly the same are in one group."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from data_prep.folder import read_folder
from data_prep.groups import MAX_TURNED, difference_hash, find_copies, group_photos
from data_prep.scenes import KINDS, draw_scene


def scene(kind: str = "city", seed: int = 0) -> Image.Image:
    return draw_scene(kind, np.random.default_rng(seed))


def put(path: Path, image: Image.Image, taken: str | None = None, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if taken:
        exif.get_ifd(0x8769)[0x9003] = taken
    image.save(path, exif=exif, **options)
    return path


def groups(root: Path) -> dict[str, str]:
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    found = group_photos(paths, root)
    return {path.relative_to(root).as_posix(): name for path, name in found.items()}


def test_copies_are_one_group_wherever_they_are_and_however_they_were_saved(tmp_path):
    image = scene()
    put(tmp_path / "b" / "one.jpg", image, quality=95)
    put(tmp_path / "a" / "again.jpg", image, quality=40)
    put(tmp_path / "small.png", image.resize((90, 70)))
    put(tmp_path / "brighter.jpg", ImageEnhance.Brightness(image).enhance(1.1), quality=90)
    put(tmp_path / "other.jpg", scene(seed=1))
    found = groups(tmp_path)
    assert found.pop("other.jpg") == "other.jpg"
    assert set(found.values()) == {"a/again.jpg"}


def test_a_copy_that_exif_turns_is_still_a_copy(tmp_path):
    image = scene()
    put(tmp_path / "a.jpg", image)
    exif = Image.Exif()
    exif[0x0112] = 6
    image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "b.jpg", exif=exif)
    assert set(groups(tmp_path).values()) == {"a.jpg"}


def test_a_burst_is_one_group_in_its_folder(tmp_path):
    for folder in ("one", "two"):
        for i in range(2):
            put(
                tmp_path / folder / f"{i}.jpg",
                scene(seed=10 * i + len(folder) + ord(folder[0])),
                taken="2020:05:01 10:00:00",
            )
    put(tmp_path / "one" / "later.jpg", scene(seed=99), taken="2020:05:01 10:00:01")
    found = groups(tmp_path)
    assert found["one/0.jpg"] == found["one/1.jpg"]
    assert found["two/0.jpg"] == found["two/1.jpg"]
    assert len(set(found.values())) == 3


@pytest.mark.parametrize("taken", ["0000:00:00 00:00:00", "    :  :     :  :  ", ""])
def test_a_clock_that_was_not_set_makes_no_burst(tmp_path, taken):
    for i in range(3):
        put(tmp_path / f"{i}.jpg", scene(seed=i), taken=taken)
    assert len(set(groups(tmp_path).values())) == 3


def test_bursts_and_copies_join(tmp_path):
    put(tmp_path / "a" / "1.jpg", scene(seed=1), taken="2020:05:01 10:00:00")
    put(tmp_path / "a" / "2.jpg", scene(seed=2), taken="2020:05:01 10:00:00")
    put(tmp_path / "b" / "copy of 2.png", scene(seed=2))
    assert len(set(groups(tmp_path).values())) == 1


def test_pictures_of_one_tone_and_broken_files_are_groups_of_their_own(tmp_path):
    for i, colour in enumerate(("black", "black", "white")):
        put(tmp_path / f"{i}.png", Image.new("RGB", (20, 20), colour))
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "empty.jpg").touch()
    found = groups(tmp_path)
    assert found == {name: name for name in found}


def test_different_pictures_of_the_same_kind_are_hardly_ever_taken_for_copies():
    hashes = {
        Path(f"{kind} {i}"): difference_hash(scene(kind, 100 * k + i))
        for k, kind in enumerate(KINDS)
        for i in range(12)
    }
    pairs = list(find_copies({path: h for path, h in hashes.items() if h is not None}))
    assert len(pairs) <= 2


def test_copies_are_found_up_to_the_last_bit_that_may_turn():
    random = np.random.default_rng(0)
    one = int.from_bytes(random.bytes(16), "big")
    for _ in range(50):
        turned = sum(1 << int(bit) for bit in random.choice(128, MAX_TURNED + 1, replace=False))
        near = one ^ (turned & (turned - 1))  # one bit fewer
        pairs = set(find_copies({Path("a"): one, Path("b"): near, Path("c"): one ^ turned}))
        assert (Path("a"), Path("b")) in pairs
        assert (Path("a"), Path("c")) not in pairs


def test_read_folder_keeps_copies_in_one_split(tmp_path):
    for i in range(25):
        put(tmp_path / "all" / f"{i}.jpg", scene(seed=i))
        put(tmp_path / "best" / f"print {i}.jpg", scene(seed=i), quality=60)
    split = {p.image_id: p.split for p in read_folder(tmp_path, frozenset(), seed=0).photos}
    assert len(set(split.values())) > 1
    assert [split[f"all/{i}.jpg"] for i in range(25)] == [
        split[f"best/print {i}.jpg"] for i in range(25)
    ]
