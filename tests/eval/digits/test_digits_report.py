"""The report of a GAN on digits: its parts, what is left out, that hostile text stays text."""

import io
import json
import math
import re

import numpy as np
import pytest
from helpers.reports import EVIL, Page, assert_tables_are_well_formed
from PIL import Image

from eval.digits.plots import class_plot, sigma_plot
from eval.digits.report import (
    MEASURES,
    digits_page,
    headline,
    measure_cells,
    summary,
    write_digits_report,
)
from eval.digits.samples import GAP_GREY, grid
from eval.pages.report import render_html, render_markdown
from eval.sections.learning import accuracy_plot, discriminator_plots, loss_plot

SECTIONS = ["pictures", "measures", "likelihood", "classes", "learning", "facts"]


def made_report() -> dict:
    """Return a report such as `eval.digits.study` gives, with made-up but likely numbers."""
    sigmas = np.logspace(-1, 0, 10).tolist()
    return {
        "kind": "cgan",
        "preset": "paper",
        "data": {
            "name": "mnist",
            "n_train": 50000,
            "n_validation": 10000,
            "n_test": 10000,
            "height": 28,
            "width": 28,
        },
        "n_samples": 10000,
        "log_likelihood": {
            "mean": 132.14,
            "se": 1.83,
            "sigma": sigmas[3],
            "validation": {f"{s:.3g}": 133 - 900 * math.log10(s / sigmas[3]) ** 2 for s in sigmas},
        },
        "condition_accuracy": 0.97,
        "classifier_accuracy": 0.991,
        "fid": 12.3,
        "inception_score": 9.12,
        "precision": 0.91,
        "recall": 0.28,
        "density": 0.87,
        "coverage": 0.55,
        "modes": {
            "covered": 10,
            "of": 10,
            "entropy": 0.998,
            "counts": [1000 + 9 * (-1) ** i * i for i in range(10)],
            "real_counts": [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
        },
        "nearest": {"n_samples": 2000, "n_distinct": 1523, "distance": 5.1, "test_distance": 6.0},
        "published": {
            "conditional GAN, arXiv 1411.1784": {"mean": 132, "se": 1.8},
            "GAN, arXiv 1406.2661": {"mean": 225, "se": 2},
        },
        "run": {"seed": 0, "epochs": 50, "best_update": 24000},
        "versions": {"torch": "2.13.0"},
        "command": "python -m eval.digits cgan --data data/mnist --out runs/mnist",
    }


def made_log(n: int = 20, order: bool = False) -> list[dict]:
    log: list[dict] = []
    for i in range(1, n + 1):
        losses = {
            "loss_d_real": 0.5 + 0.3 / i,
            "loss_d_fake": 0.4 + 0.3 / i,
            "d_accuracy_real": 0.7,
            "d_accuracy_fake": 0.8 - 0.1 / i,
        }
        by_order = {"loss_d_order": 0.5 + 0.2 / i, "d_accuracy_order": 0.8 - 0.2 / i}
        update = {"event": "train", "update": 500 * i, "loss_g_adversarial": 1.5 - 0.7 / i}
        log.append(update | (by_order if order else losses))
        if i % 4 == 0:
            reached = {"log_likelihood": 130 - 300 / i}
            log.append({"event": "evaluate", "update": 500 * i, **reached})
    return log


def made_pictures() -> dict[str, bytes]:
    images = np.linspace(0, 1, 2 * 3 * 8 * 8, dtype=np.float32).reshape(2, 3, 8, 8)
    return {"Samples: a row a class": grid(images), "From one noise to another": grid(images[:1])}


@pytest.fixture(scope="module")
def html() -> str:
    return render_digits(made_report(), made_log(), made_pictures())


@pytest.fixture(scope="module")
def page(html) -> Page:
    return Page(html)


def render_digits(report: dict, log: list, pictures: dict) -> str:
    return render_html(digits_page(report, log, pictures))


def _sections(page: Page) -> list[str]:
    return [attrs["id"] for attrs in page.all("section")]


def _decoded(png: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(png))
    assert (image.format, image.mode) == ("PNG", "L")
    return np.asarray(image)


def test_report_is_written_in_three_formats(tmp_path, html):
    write_digits_report(tmp_path / "new", made_report(), made_log(), made_pictures())
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "report.html",
        "report.json",
        "report.md",
    ]
    assert json.loads((tmp_path / "new/report.json").read_text("utf-8")) == made_report()
    assert (tmp_path / "new/report.html").read_text("utf-8") == html


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("name", ["fid", "mean", "sigma", "0.1", "counts", "test_distance", "run"])
def test_report_refuses_what_is_not_finite_and_writes_nothing(tmp_path, name, value):
    report = made_report()
    likelihood = report["log_likelihood"]
    if name == "counts":
        report["modes"]["counts"][3] = value
    else:
        places = {"mean": likelihood, "sigma": likelihood, "0.1": likelihood["validation"]}
        places |= {"test_distance": report["nearest"], "run": report["run"]}
        places.get(name, report)[name] = value
    with pytest.raises(ValueError):
        write_digits_report(tmp_path, report, [], {})
    assert list(tmp_path.iterdir()) == []


def test_page_is_the_same_bytes_again(html):
    assert render_digits(made_report(), made_log(), made_pictures()) == html


def test_page_has_all_its_parts_in_order(page):
    assert _sections(page) == SECTIONS
    assert {a["href"] for a in page.all("a")} == {"#results"} | {f"#{name}" for name in SECTIONS}
    assert "Conditional GAN on mnist: log-likelihood 132.1 ± 1.8" in page.text
    assert all(name in page.text and meaning in page.text for name, meaning in MEASURES.items())
    plots = [a for a in page.all("svg") if a.get("role") == "img"]
    assert len(plots) == 5
    assert all(len(a["aria-label"]) > 20 for a in plots)
    assert len(page.all("caption")) == len(page.all("table")) == 5


def test_markdown_has_the_same_tables_and_no_pictures():
    markdown = render_markdown(digits_page(made_report(), made_log(), made_pictures()))
    assert assert_tables_are_well_formed(markdown) == 5
    assert re.findall("^## (.+)$", markdown, re.MULTILINE) == [
        "Measures",
        "Log-likelihood",
        "Data, run and versions",
    ]


def test_page_shows_pictures_in_order_with_their_captions(page):
    shown = page.all("img")
    assert [attrs["alt"] for attrs in shown] == list(made_pictures())
    assert all(attrs["src"].startswith("data:image/png;base64,") for attrs in shown)
    assert all(caption in page.text for caption in made_pictures())


def test_page_needs_nothing_from_outside(html, page):
    policy = next(a["content"] for a in page.all("meta") if "http-equiv" in a)
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
    assert not {"script", "link", "iframe", "object", "base"} & {tag for tag, _ in page.elements}
    assert not re.search(r"https?:|@import|url\((?!#)", html)
    for _, attrs in page.elements:
        assert not any(name.startswith("on") for name in attrs)
        for name in ("src", "href"):
            assert attrs.get(name, "#").startswith(("#", "data:image/png;base64,"))


def test_page_gives_each_id_once(page):
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    used = {a["href"][1:] for a in page.all("use") + page.all("a")}
    used |= {a["clip-path"][5:-1] for _, a in page.elements if "clip-path" in a}
    assert used <= set(ids)


def test_summary_says_how_to_read_the_figures():
    said = " ".join(summary(made_report()))
    assert "A conditional GAN (preset paper) learnt to draw from 50,000 digits of mnist" in said
    assert "right on 99.1 % of the test digits takes 97.0 % of the generated digits" in said
    assert "they compare only inside this project" in said
    assert "Such a figure alone misleads" in said


def test_published_figures_are_shown_as_published(page):
    rows = re.sub(r"\s+", " ", page.text)
    assert "this run Conditional GAN, here measured 132.1 1.8" in rows
    assert "conditional GAN, arXiv 1411.1784 132 1.8 GAN, arXiv 1406.2661 225 2" in rows


def test_gan_without_condition_has_no_condition_accuracy():
    report = made_report() | {"kind": "gan"}
    del report["condition_accuracy"]
    page = Page(render_digits(report, [], {}))
    assert "condition accuracy" not in page.text
    assert "asked for" not in page.text
    assert "for a given class" not in page.text
    assert headline(report).startswith("GAN on mnist")


def test_sections_without_pictures_or_log_and_published_figures_are_left_out():
    page = Page(render_digits(made_report() | {"published": {}}, [], {}))
    assert _sections(page) == ["measures", "likelihood", "classes", "facts"]
    assert "published" not in page.text


def test_measures_are_those_that_are_explained():
    cells = measure_cells(made_report())
    assert list(cells) == list(MEASURES)
    assert (cells["modes covered"].text, cells["modes covered"].note) == ("10", "of 10 classes")
    assert (cells["FID"].text, cells["condition accuracy"].text) == ("12.3", "97.0 %")


def test_page_keeps_hostile_text_as_text():
    name = f'{EVIL}" onerror="x'
    report = made_report() | {"preset": name, "command": EVIL, "run": {name: [name]}}
    report["data"]["name"] = name
    report["versions"] = {name: name}
    report["published"] = {name: {"mean": 1, "se": 1}}
    page = Page(render_digits(report, made_log(), {name: made_pictures().popitem()[1]}))
    assert "script" not in {tag for tag, _ in page.elements}
    assert all(not key.startswith("on") for _, attrs in page.elements for key in attrs)
    assert [attrs["alt"] for attrs in page.all("img")] == [name]
    assert page.text.count(EVIL) >= 6


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (made_log(4), "on real digits (solid) and generated ones (dashed)"),
        (made_log(4, order=True), "on which of two digits is the real one (purple)"),
        (
            made_log(4) + made_log(4, order=True),
            "on real digits (solid), generated ones (dashed) and which is which (purple)",
        ),
    ],
)
def test_learning_curves_draw_the_fields_of_the_log_and_name_them(log, said):
    losses, accuracies = discriminator_plots(log, "digits")
    assert said in losses
    assert said in accuracies
    by_order = any("loss_d_order" in record for record in log)
    assert ("loss_d_order" in (loss_plot(log) or "")) == by_order
    assert ("d_accuracy_order" in (accuracy_plot(log) or "")) == by_order


def test_sigma_plot_takes_one_width_and_leaves_out_what_is_far_below():
    assert sigma_plot({"validation": {"0.2": 100.0}, "sigma": 0.2})
    assert sigma_plot({"validation": {"0.01": -1e6, "0.2": 100.0}, "sigma": 0.2})


def test_class_plot_says_its_shares():
    assert "generated 75.0 %, 25.0 %; real 50.0 %, 50.0 %" in class_plot([3, 1], [5, 5])


def test_grid_holds_the_pixels_of_each_image_with_gaps_between():
    images = np.random.default_rng(0).random((2, 3, 28, 30)).astype(np.float32)
    picture = _decoded(grid(images, gap=3))
    assert picture.shape == (2 * 28 + 3, 3 * 30 + 2 * 3)
    for r in range(2):
        for c in range(3):
            part = picture[r * 31 : r * 31 + 28, c * 33 : c * 33 + 30]
            assert np.array_equal(part, np.rint(images[r, c] * 255))
    assert set(picture[28:31].ravel()) == set(picture[:, 30:33].ravel()) == {GAP_GREY}


@pytest.mark.parametrize(("height", "scale"), [(8, 4), (14, 2), (27, 2), (28, 1), (64, 1)])
def test_grid_enlarges_low_images_by_a_whole_factor(height, scale):
    images = np.random.default_rng(0).random((1, 1, height, 8)).astype(np.float32)
    picture = _decoded(grid(images))
    assert picture.shape == (height * scale, 8 * scale)
    assert np.array_equal(picture[::scale, ::scale], np.rint(images[0, 0] * 255))
    assert np.array_equal(picture, picture[::scale, ::scale].repeat(scale, 0).repeat(scale, 1))


def test_grid_without_gap_and_with_values_outside_the_range():
    images = np.array([-1, 0, 1, 2], np.float32).reshape(1, 4, 1, 1)
    picture = _decoded(grid(images, gap=0))
    assert picture.shape == (28, 4 * 28)
    assert picture[0, ::28].tolist() == [0, 0, 255, 255]
