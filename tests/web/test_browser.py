"""The contact sheet and the web page as a person uses them: by mouse and by keyboard."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from helpers.bombs import bomb
from helpers.browser import served, start_chromium, until
from helpers.photos import make_photo
from helpers.thumbnails import with_thumbnails
from PIL import Image

from data_prep.folder import read_folder
from mmcgan.folders.contact_sheet import write_contact_sheet
from mmcgan.inference.tagger import Tag, Tagger
from mmcgan.inference.words.vocabulary import Vocabulary
from mmcgan.metadata.xmp.packet import Packet
from mmcgan.training.prepared.dataset import read_dataset

HOSTILE = '"><img src=x onerror="document.title=1"></script><script>document.title=2</script>'
ENTER, SPACE, TAB, RIGHT = "\ue007", "\ue00d", "\ue004", "\ue014"


@pytest.fixture(scope="module")
def downloads(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def chromium(downloads):
    driver = start_chromium(downloads)
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium, downloads):
    """The browser, nothing downloaded yet; what its console says must be no error."""
    for file in downloads.iterdir():
        file.unlink()
    chromium.get_log("browser")
    yield chromium
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    said = [entry["message"] for entry in chromium.get_log("browser")]
    errors = [line for line in said if "the server responded with a status of 4" not in line]
    assert errors == []


def find(browser, selector: str) -> list:
    return browser.find_elements("css selector", selector)


def texts(browser, selector: str) -> list[str]:
    return [found.text for found in find(browser, selector) if found.is_displayed()]


def saved(downloads: Path, name: str) -> Path:
    until(lambda: (downloads / name).exists() and (downloads / name).stat().st_size)
    return downloads / name


def press(browser, *keys: str) -> None:
    from selenium.webdriver import ActionChains

    for key in keys:
        ActionChains(browser).send_keys(key).perform()


def focus(browser, selector: str) -> None:
    """Go to an element by the key Tab alone, from the start of the page."""
    browser.execute_script("document.activeElement.blur(); window.getSelection().removeAllRanges()")
    for _ in range(200):
        press(browser, TAB)
        if browser.switch_to.active_element in find(browser, selector):
            return
    raise AssertionError(f"{selector} is not reached by Tab")


def become_a_phone(browser) -> None:
    screen = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)


def is_wider_than_the_window(browser) -> bool:
    return browser.execute_script(
        "return document.documentElement.scrollWidth > document.documentElement.clientWidth"
    )


# The contact sheet


@pytest.fixture
def sheet(tmp_path):
    """A library of three photos, and its contact sheet."""
    root = tmp_path / "library"
    tags = {
        "a/one.png": [Tag("sea", 0.9), Tag("plant_life", 0.2), Tag(HOSTILE, 0.1)],
        "b/zwei ü.png": [Tag("cat", 0.8), Tag("sea", 0.6), Tag("smith,_john", 0.5)],
        "three <b>.png": [Tag("cat", 0.95), Tag("dog", 0.3)],
    }
    for name in tags:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(make_photo("red", (64, 48)))
    tagged = [(root / name, found) for name, found in tags.items()]
    return root, write_contact_sheet(tmp_path / "out", tagged, "run: 0001")


def shown_files(browser) -> list[str]:
    return texts(browser, ".photo .name")


def test_sheet_is_filtered_and_sorted(browser, sheet):
    browser.get(sheet[1].as_uri())
    assert shown_files(browser) == ["a/one.png", "b/zwei ü.png", "three <b>.png"]
    search = browser.find_element("id", "search")
    search.send_keys("sea")
    assert shown_files(browser) == ["a/one.png", "b/zwei ü.png"]
    assert browser.find_element("id", "shown").text == "2 of 3 photos"
    order = browser.find_element("id", "order")
    order.send_keys("least")
    assert shown_files(browser) == ["b/zwei ü.png", "a/one.png"]
    search.clear()
    search.send_keys("Plant life")
    assert shown_files(browser) == ["a/one.png"]
    search.clear()
    search.send_keys(" ")
    order.send_keys("most")
    assert shown_files(browser) == ["three <b>.png", "a/one.png", "b/zwei ü.png"]


def test_sheet_runs_nothing_that_is_in_words_or_names(browser, sheet):
    browser.get(sheet[1].as_uri())
    assert browser.title == "Contact sheet of library"
    assert HOSTILE in texts(browser, ".tag bdi")
    assert len(find(browser, "img")) == 3
    assert all(image.get_property("naturalWidth") == 64 for image in find(browser, "img"))


def test_ticks_set_by_keyboard_are_kept_and_saved_as_what_prepare_reads(browser, sheet, downloads):
    root, page = sheet
    (root / "three <b>.png.txt").write_text("cat, dog, holiday", encoding="utf-8")
    browser.get(page.as_uri())
    for label in ("sea is right", "smith, john is wrong", "dog is wrong"):
        focus(browser, f'[aria-label="{label}"]')
        press(browser, SPACE)
    focus(browser, '[data-word="cat"] [data-says="wrong"]')
    press(browser, ENTER, ENTER)  # ticked, and taken back
    browser.refresh()
    assert len(find(browser, '[aria-pressed="true"]')) == 3
    focus(browser, "#export")
    assert texts(browser, "#export") == ["Save 3 ticks as CSV"]
    press(browser, ENTER)
    table = saved(downloads, "mmcgan.tags.csv").read_text(encoding="utf-8")
    assert table.splitlines()[0] == "file,tags,not"
    (root / "mmcgan.tags.csv").write_text(table, encoding="utf-8")
    collection = read_folder(root, frozenset(), seed=0)
    assert {photo.image_id: photo.tags for photo in collection.photos} == {
        "a/one.png": ("sea",),
        "b/zwei ü.png": (),
        "three <b>.png": ("cat", "holiday"),
    }


def test_words_with_commas_and_quotes_survive_the_table(browser, sheet, downloads):
    root, page = sheet
    browser.get(page.as_uri())
    browser.execute_script("localStorage.clear()")
    browser.refresh()
    for button in find(browser, '[data-says="right"]'):
        button.click()
    find(browser, "#export")[0].click()
    (root / "mmcgan.tags.csv").write_bytes(saved(downloads, "mmcgan.tags.csv").read_bytes())
    found = {photo.image_id: photo.tags for photo in read_folder(root, frozenset(), 0).photos}
    assert found["b/zwei ü.png"] == ("cat", "sea", "smith,_john")
    assert found["a/one.png"][2].replace("_", " ") == HOSTILE


def test_sheet_fits_a_phone(browser, sheet):
    become_a_phone(browser)
    browser.get(sheet[1].as_uri())
    assert not is_wider_than_the_window(browser)
    button = find(browser, ".tick")[0].rect
    assert min(button["width"], button["height"]) >= 44


# The web page


@pytest.fixture
def service(trained, stand_in):
    pytest.importorskip("fastapi", reason="needs the extra web")
    from mmcgan.web.service import TaggingService
    from mmcgan.web.training_photos import TrainingPhotos

    tagger = Tagger.load(trained[1])
    dataset = read_dataset(trained[0])
    jpegs = list(dataset.thumbnails.values())
    shown = replace(
        dataset, thumbnails=dict.fromkeys(with_thumbnails(dataset).thumbnails, jpegs[0])
    )
    return TaggingService(tagger, "0001", TrainingPhotos.of(shown, tagger.model))


@pytest.fixture
def server(service):
    from mmcgan.web.app import create_app

    with served(create_app(service, "127.0.0.1")) as url:
        yield url


@pytest.fixture
def drop(browser, server, tmp_path):
    """A function that gives photos to the page and waits for its answers."""
    browser.get(server)

    def send(*photos: tuple[str, bytes]) -> None:
        paths = [tmp_path / name for name, _ in photos]
        for path, (_, data) in zip(paths, photos, strict=True):
            path.write_bytes(data)
        browser.find_element("id", "files").send_keys("\n".join(map(str, paths)))
        until(lambda: find(browser, ".photo") and not find(browser, "[aria-busy]"))

    return send


def set_slider(browser, name: str, value: int) -> None:
    browser.execute_script(
        "const s = document.getElementById(arguments[0]); s.value = arguments[1];"
        "s.dispatchEvent(new Event('input'))",
        name,
        value,
    )


def test_page_shows_ranked_tags_and_the_sliders_cut_them(browser, drop, service):
    drop(("red.png", make_photo("red")), ("blue.png", make_photo("blue")))
    assert texts(browser, ".name") == ["blue.png", "red.png"]
    assert texts(browser, "#status") == ["2 photos tagged"]
    tags = service.tagger.tag(make_photo("blue"), 10)
    card = ".photo:first-child .tags"
    assert texts(browser, f"{card} bdi") == [tag.word.replace("_", " ") for tag in tags]
    widths = [bar.rect["width"] for bar in find(browser, f"{card} li")]
    assert len(set(widths[:10])) == 1
    set_slider(browser, "k", 3)
    assert len(texts(browser, f"{card} bdi")) == 3
    set_slider(browser, "threshold", 100)
    assert texts(browser, f"{card} bdi") == []
    assert "No tag reaches this score." in texts(browser, ".none")


def test_photos_are_dropped_anywhere_on_the_page(browser, server):
    browser.get(server)
    browser.execute_script(
        "const held = new DataTransfer();"
        "held.items.add(new File([new Uint8Array(arguments[0])], 'red.png'));"
        "document.querySelector('main').dispatchEvent("
        "  new DragEvent('drop', {dataTransfer: held, bubbles: true, cancelable: true}))",
        list(make_photo("red")),
    )
    until(lambda: texts(browser, "#status") == ["1 photo tagged"])
    assert texts(browser, ".name") == ["red.png"]


def test_sliders_move_by_arrow_keys(browser, drop):
    drop(("red.png", make_photo("red")))
    focus(browser, "#k")
    press(browser, RIGHT, RIGHT)
    assert texts(browser, "#k-shown") == ["12"]
    focus(browser, "#threshold")
    press(browser, RIGHT)
    assert texts(browser, "#threshold-shown") == ["1 %"]


def test_draws_move_with_the_noise(browser, drop, service):
    drop(("red.png", make_photo("red")))
    seen = []
    for seed in (0, 1):
        focus(browser, ".draw")
        press(browser, ENTER)
        until(lambda seed=seed: any(f"seed {seed}," in text for text in texts(browser, ".draws p")))
        seen.append(
            dict(zip(texts(browser, ".draws bdi"), texts(browser, ".draws .share"), strict=True))
        )
    assert seen[0] != seen[1]
    assert texts(browser, ".draw") == ["Draw the noise again"]


def test_a_tag_opens_its_nearest_words_and_similar_photos(browser, drop, service):
    drop(("red.png", make_photo("red")))
    focus(browser, '[data-word="sea"]')
    press(browser, ENTER)
    until(lambda: texts(browser, ".near h3"))
    assert texts(browser, ".near h3") == ["Near “sea”"]
    nearest = [tag.word.replace("_", " ") for tag in service.nearest_words("sea")]
    assert texts(browser, ".words bdi") == nearest
    pictures = until(lambda: find(browser, ".similar img"))
    until(lambda: all(picture.get_property("naturalWidth") for picture in pictures))
    assert all("sea" in picture.get_attribute("alt") for picture in pictures)
    press(browser, ENTER)
    assert texts(browser, ".near h3") == []


def test_sidecar_is_saved_under_the_photos_name(browser, drop, service, downloads):
    drop(("my photo.png", make_photo("red")))
    set_slider(browser, "k", 2)
    focus(browser, ".save")
    press(browser, ENTER)
    packet = Packet.parse(saved(downloads, "my photo.png.xmp").read_bytes(), "sidecar")
    words = [tag.word.replace("_", " ") for tag in service.tagger.tag(make_photo("red"), 2)]
    assert packet.keywords() == words


def test_hostile_uploads_are_named_and_the_others_tagged(browser, drop):
    name = "<img src=x onerror=alert(1)>.png"
    drop(
        ("bomb.png", bomb(60_000, 60_000)),
        ("page.jpg", b"<script>document.title = 1</script>"),
        (name, make_photo("red")),
    )
    assert texts(browser, ".name") == [name, "page.jpg", "bomb.png"]
    problems = texts(browser, ".problem")
    assert problems[0].startswith("the photo is not a photo of a known format")
    assert problems[1].startswith("the photo has 60,000 × 60,000 pixels")
    assert len(find(browser, ".answer:not([hidden])")) == 1
    assert browser.title == "mmcgan"


def test_html_in_a_word_is_shown_as_text(browser, service, tmp_path):
    from mmcgan.web.app import create_app

    old = service.tagger.model.vocabulary
    words = Vocabulary((HOSTILE, *old.words[1:]), old.vectors, old.n_photos)
    service.tagger = replace(service.tagger, model=replace(service.tagger.model, vocabulary=words))
    with served(create_app(service, "127.0.0.1")) as url:
        browser.get(url)
        (tmp_path / "a.png").write_bytes(make_photo("red"))
        browser.find_element("id", "files").send_keys(str(tmp_path / "a.png"))
        until(lambda: HOSTILE in texts(browser, ".tags bdi"))
        button = next(b for b in find(browser, ".tags button") if HOSTILE in b.text)
        button.click()
        until(lambda: f"Near “{HOSTILE}”" in texts(browser, ".near h3"))
        assert browser.title == "mmcgan"
        assert len(find(browser, ".tags img")) == 0


def noisy_photo() -> bytes:
    """A photo of 5 MB: more than goes through a connection before it is answered."""
    buffer = BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (1300, 1300, 3), np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_too_many_photos_wait_and_are_tagged(browser, service, tmp_path):
    from mmcgan.web.app import create_app
    from mmcgan.web.limits import Rate

    with served(create_app(service, "127.0.0.1", Rate(1, seconds=2))) as url:
        browser.get(url)
        paths = [tmp_path / "a.png", tmp_path / "b.png"]
        for path in paths:
            path.write_bytes(noisy_photo())
        browser.find_element("id", "files").send_keys("\n".join(map(str, paths)))
        until(lambda: any("too many photos" in text for text in texts(browser, ".problem")))
        until(lambda: len(find(browser, ".answer:not([hidden])")) == 2)
        assert texts(browser, ".problem") == []


def test_a_file_that_is_too_large_is_not_sent(browser, drop):
    browser.execute_script("document.getElementById('files').dataset.maxBytes = 1")
    drop(("red.png", make_photo("red")))
    assert texts(browser, ".problem")[0].startswith("the photo is larger than")


def test_page_fits_a_phone(browser, drop):
    become_a_phone(browser)
    drop(("a rather long name " * 8 + ".png", make_photo("red")))
    find(browser, ".draw")[0].click()
    until(lambda: texts(browser, ".draws bdi"))
    assert not is_wider_than_the_window(browser)
