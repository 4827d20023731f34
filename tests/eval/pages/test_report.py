"""The report: what its pages hold, that hostile text stays text, that nothing else is needed."""

import json
import re

import numpy as np
import pytest
from helpers.answers import answers_of
from helpers.reports import (
    BOTH,
    EVIL,
    USER,
    Page,
    _interval,
    _jpeg,
    assert_tables_are_well_formed,
    lean_report,
    made_gallery,
    made_log,
    made_report,
    render_html,
    render_markdown,
)

from data_prep.photos import Photo
from eval.evaluation import gallery_photos
from eval.findings import Findings, ShownPhoto
from eval.pages.report import markdown_table, write_report
from eval.pages.section import Cell, Row, Table
from eval.pages.summary import compared, page_of, summary
from eval.pages.text import number, parameters
from eval.predictions import SystemPredictions
from eval.sections.checks import discriminator_state
from eval.sections.gallery import shown_photos
from eval.sections.systems import system_table
from eval.sections.tags import tag_tables
from eval.setting import Setting
from mmcgan.inference.words.ranking import rank_scores
from mmcgan.inference.words.vocabulary import Vocabulary, unit_rows
from mmcgan.training.prepared.dataset import Dataset, TagTable


@pytest.fixture(scope="module")
def html() -> str:
    return render_html(made_report(), made_log(), made_gallery())


@pytest.fixture(scope="module")
def page(html) -> Page:
    return Page(html)


@pytest.fixture(scope="module")
def markdown() -> str:
    return render_markdown(made_report(), made_log())


def test_report_is_written_in_three_formats(tmp_path):
    report = lean_report()
    write_report(tmp_path / "new", report, page_of(Findings(report, [], made_gallery())))
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["report.html", "report.json", "report.md"]
    assert json.loads((tmp_path / "new/report.json").read_text("utf-8")) == report


def test_report_refuses_nan_and_writes_nothing_for_it(tmp_path):
    report = lean_report() | {"run": {"loss": float("nan")}}
    with pytest.raises(ValueError):
        write_report(tmp_path, report, page_of(Findings(report)))
    assert list(tmp_path.iterdir()) == []


def test_report_is_the_same_bytes_again(html, markdown):
    assert render_html(made_report(), made_log(), made_gallery()) == html
    assert render_markdown(made_report(), made_log()) == markdown


def test_page_has_its_sections_in_order(page):
    ids = [attrs["id"] for attrs in page.all("section")]
    assert ids[:7] == ["checks", "systems", "gallery", "curves", "learning", "tags", "coverage"]
    assert ids[7:] == ["controls", "duplicates", "truth", "tuning", "glossary", "facts"]
    links = [attrs["href"] for attrs in page.all("a")]
    assert {link.lstrip("#") for link in links} == {"results", *ids}


def test_page_needs_nothing_from_outside(html, page):
    assert "http:" not in html
    assert "https:" not in html
    assert "@import" not in html
    assert not {"script", "link", "iframe", "object", "base"} & {tag for tag, _ in page.elements}
    for _, attrs in page.elements:
        assert not any(name.startswith("on") for name in attrs)
        for name in ("src", "href"):
            assert attrs.get(name, "#").startswith(("#", "data:image/jpeg;base64,"))
    assert not re.search(r"url\((?!#)", html)


def test_page_forbids_scripts_and_requests(page):
    policy = next(a["content"] for a in page.all("meta") if "http-equiv" in a)
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")


def test_page_is_accessible(page):
    assert page.all("html") == [{"lang": "en"}]
    assert all(attrs["alt"] for attrs in page.all("img"))
    assert all(attrs["scope"] in ("col", "row") for attrs in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table")) > 5
    svgs = page.all("svg")
    assert all(a.get("aria-hidden") == "true" or len(a["aria-label"]) > 20 for a in svgs)


def test_page_gives_each_id_once(page):
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    used = {a["href"][1:] for a in page.all("use")}
    used |= {a["clip-path"][5:-1] for _, a in page.elements if "clip-path" in a}
    assert used <= set(ids)


def test_page_shows_words_of_every_script_as_printed(page):
    for word in ("日本", "مدينة", "emoji 🌅", "plant life"):
        assert word in page.text


def test_page_marks_hits_by_sign_and_by_text(page):
    hits = [a for a in page.all("li") if a.get("class") == "hit"]
    assert len(hits) == page.text.count("(right)") == 2 * len(made_gallery())


def test_page_names_the_collapse_with_the_discriminators_accuracies(html, markdown):
    assert "The generator has collapsed" in html
    assert re.search(r"took 98\.\d % of the real pairs for\s+real and 99\.\d %", html)
    assert "**The generator has collapsed.**" in markdown
    healthy = made_report()
    healthy["checks"] = [check for check in healthy["checks"] if check["passed"]]
    assert "The generator has collapsed" not in render_markdown(healthy, made_log())


def test_page_shows_failed_checks_first(page):
    verdicts = re.findall("[✓✗] (?:pass|fail)", page.text)
    assert verdicts == ["✗ fail"] * 3 + ["✓ pass"] * 2


def _hostile_report() -> dict:
    text = json.dumps(made_report()).replace('"plant_life"', '"EVIL"')
    report = json.loads(text.replace('"EVIL"', json.dumps(EVIL)))
    report["run"] = {EVIL: [EVIL, "a|b", "line\nbreak"]}
    report["command"] = f"python {EVIL}\n# not a heading"
    report["data"]["name"] = f"{EVIL}|`*"
    report["systems"][f"ri|val{EVIL}"] = report["systems"]["ridge"]
    report["checks"].append(
        {"name": EVIL, "description": EVIL, "value": EVIL, "target": EVIL, "passed": False}
    )
    report["per_tag"][1]["word"] = '$\\frac{"><img src=x onerror=alert(1)>$'
    report["per_tag"][2]["word"] = "\x00\x1b\u202e$$"
    report["per_tag"][3]["word"] = "</svg></style>" + EVIL
    return report


def _hostile_gallery() -> list[ShownPhoto]:
    tags = [EVIL, '" onload="alert(1)', "'><img src=x>", "a&b"]
    generated = [(tag, 0.1, True) for tag in tags]
    return [ShownPhoto(f'{EVIL}" onerror="x', _jpeg((1, 2, 3)), tags, tags, generated)]


def test_page_keeps_hostile_text_as_text():
    html = render_html(_hostile_report(), made_log(), _hostile_gallery())
    page = Page(html)
    assert {"script", "frac"}.isdisjoint(tag for tag, _ in page.elements)
    assert len(page.all("img")) == 1
    assert all(not name.startswith("on") for _, attrs in page.elements for name in attrs)
    assert EVIL in page.text
    assert page.all("img")[0]["alt"].startswith(f'Photo {EVIL}" onerror="x')


def test_markdown_keeps_hostile_text_as_text():
    markdown = render_markdown(_hostile_report(), made_log())
    outside_code = "\n".join(li for li in markdown.splitlines() if not li.startswith("    "))
    assert "<" not in outside_code
    assert "&lt;script&gt;" in outside_code
    assert "\n# not" not in markdown
    assert_tables_are_well_formed(markdown)


def test_markdown_tables_are_well_formed(markdown):
    assert assert_tables_are_well_formed(markdown) > 8
    assert "| ceiling (most that is possible) |" in markdown


def test_markdown_names_the_figures_to_quote(markdown):
    assert markdown.count("### Relevant by user tags (the figures to quote)\n\n") == 1
    assert "### Relevant by user tags + annotations\n\n" in markdown


def test_parameters_are_exact():
    assert parameters({"seed": 12345, "rate": 1.00004, "units": [2048, 0.5], "a": None}) == (
        "seed = 12345, rate = 1.00004, units = 2048, 0.5, a = –"
    )


def test_markdown_table_escapes_cells_and_marks_the_best():
    row = Row("a|b", (Cell("1_0", "0–2", best=True), Cell("<i>\n#")), "x*y")
    table = markdown_table(Table("t", ("s|", "v", "w"), (row,)))
    assert table.splitlines() == [
        r"| s\| | v | w |",
        "| --- | --- | --- |",
        r"| a\|b (x\*y) | **1\_0 (0–2)** | &lt;i&gt; \# |",
    ]


OPTIONAL = ("cgan_checks", "checks", "relevance", "near_duplicates", "tuning", "truth")
OPTIONAL += ("metrics", "data", "run", "command", "versions")


@pytest.mark.parametrize("missing", OPTIONAL)
def test_report_leaves_out_what_is_missing(missing):
    report = lean_report()
    del report[missing]
    page = Page(render_html(report, [], []))
    gone = {"checks": "checks", "near_duplicates": "duplicates", "tuning": "tuning"}
    gone |= {"truth": "truth", "metrics": "glossary", "cgan_checks": "controls"}
    sections = {attrs.get("id") for attrs in page.all("section")}
    assert gone.get(missing, "gallery") not in sections
    assert len(sections) >= 6
    assert_tables_are_well_formed(render_markdown(report, []))


def test_report_leaves_out_plots_without_data():
    page = Page(render_html(lean_report(), [], []))
    sections = {attrs.get("id") for attrs in page.all("section")}
    assert sections.isdisjoint(("gallery", "curves", "learning", "tags"))
    assert "coverage" in sections


def test_report_of_the_least_has_only_the_systems():
    least = {
        "split": "test",
        "tags": USER,
        "relevances": [USER],
        "n_images": 1,
        "n_skipped": 0,
        "systems": {"cgan": {"role": "cgan", USER: {"P@10": _interval(0.0, 0.0)}}},
    }
    page = Page(render_html(least, [], []))
    assert [a["id"] for a in page.all("section")] == ["systems"]
    assert "## Checks" not in render_markdown(least, [])


def test_system_table_bolds_the_best_and_ignores_controls():
    report = made_report()
    report["systems"]["cgan shuffled"][USER]["P@10"] = _interval(0.9)
    rows = {row.head: row for row in system_table(Findings(report), USER).rows}
    column = system_table(Findings(report), USER).columns.index("P@10") - 1
    assert [name for name, row in rows.items() if row.cells[column].best] == ["mlp"]
    assert rows["mlp"].cells[column] == Cell("0.108", "0.105–0.111", True)
    assert rows["ceiling"].cells[column].text == "0.344"


def test_system_table_comes_first_for_what_the_run_learnt():
    html = render_html(lean_report() | {"tags": BOTH}, [], [])
    headings = re.findall(r"<h3>Relevant by (user tags(?: \+ annotations)?)(.*?)</h3>", html)
    assert [name for name, _ in headings] == ["user tags + annotations", "user tags"]
    assert "the figures to quote" in headings[0][1]
    assert headings[1][1] == ""


def test_tag_tables_show_the_best_and_the_worst():
    best, worst = tag_tables(made_report()["per_tag"])[1:]
    recalls = [float(row.cells[-1].text) for row in best.rows]
    assert recalls == sorted(recalls, reverse=True)
    assert float(worst.rows[0].cells[-1].text) <= min(recalls)
    assert len(best.rows) == len(worst.rows) == 15


def test_summary_says_how_the_cgan_compares():
    said = " ".join(summary(Findings(made_report())))
    assert "3,142 photos of the split val" in said
    assert "0.31 are right" in said
    assert "P@10 is 0.031 (95 % interval 0.028–0.034)" in said
    assert "clearly below the best baseline, mlp, which reaches 0.108" in said
    assert "reaches 0.038 (95 % interval 0.035–0.041); the cgan is clearly below that." in said
    assert (
        "2 of 5 checks passed; failed: beats_frequency, distinct_words, noise_variance_share."
        in said
    )


def test_summary_says_what_was_left_out_and_why():
    report = made_report() | {
        "n_left_out": 12345,
        "rivals_left_out": {"ridge": "9 weights for 3 words, more than 8"},
    }
    said = " ".join(summary(Findings(report)))
    assert (
        "(858 more had no tag to be judged by and were left out; 12,345 others were left out by "
        "chance, as these are enough)"
    ) in said
    assert "The baseline ridge was left out: 9 weights for 3 words, more than 8." in said
    assert "left out" not in " ".join(summary(Findings(made_report() | {"n_skipped": 0})))


@pytest.mark.parametrize(
    ("low", "high", "how"),
    [
        (1.01, 1.04, "clearly above"),
        (0.99, 1.01, "not clearly different from"),
        (0.9, 0.98, "clearly below"),
    ],
)
def test_summary_compares_photo_by_photo_where_the_ratio_is_known(low, high, how):
    report = made_report()
    value = (low + high) / 2
    report["ratios"] = {report["tags"]: {"mlp": {"value": value, "low": low, "high": high}}}
    said = " ".join(summary(Findings(report)))
    assert f"That is {how} the best baseline, mlp, which reaches 0.108" in said
    assert f"it is {value:.3f} times that (95 % interval {low:.3f}–{high:.3f})." in said


def test_comparison_is_only_clear_where_intervals_do_not_overlap():
    assert compared(_interval(0.2), _interval(0.1)) == "clearly above"
    assert compared(_interval(0.1), _interval(0.2)) == "clearly below"
    assert compared(_interval(0.1), _interval(0.104)) == "not clearly different from"


def test_discriminator_state_is_the_mean_of_the_last_records():
    log = [
        {"update": i, "d_accuracy_real": 0.0 if i < 5 else 0.5, "d_accuracy_fake": 0.55}
        for i in range(15)
    ]
    said = discriminator_state([*log, {"update": 15, "P@10": 0.1}])
    assert "50.0 % of the real pairs" in said
    assert "up to update 14" in said
    assert said.endswith("It can hardly tell them apart.")
    assert discriminator_state([]) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (True, "yes"),
        (12345, "12,345"),
        (21.44, "21.4"),
        (3.7, "3.70"),
        (0.12345, "0.123"),
        (0.00012, "0.00012"),
        (0.0, "0.000"),
        ({"value": 0.5, "low": 0.4, "high": 0.6}, "0.500"),
        (["a", 1], "a, 1"),
        ("text", "text"),
    ],
)
def test_number_reads_well(value, text):
    assert number(value) == text


def _dataset(image_ids) -> Dataset:
    photos = [
        Photo(i, str(i), bytes, "val", tags, labels)
        for i, tags, labels in [
            (0, ("sea", "outside"), ("sky",)),
            (1, ("sky",), ()),
            (2, ("sky", "sea"), ("sea",)),
        ]
    ]
    words = ("night", "sea", "sky")
    vectors = unit_rows(np.eye(3, 4))
    vocabulary = Vocabulary(words, vectors, np.ones(3, np.int64))
    tags = {
        "user": TagTable.from_lists([p.tags for p in photos]),
        "annotations": TagTable.from_lists([p.annotations for p in photos]),
    }
    return Dataset(
        "toy",
        image_ids,
        np.full(3, 2, np.uint8),
        np.zeros((3, 2), np.float32),
        tags,
        {USER: vocabulary, BOTH: vocabulary},
        {0: b"zero", 2: b"two"},
        None,
        {},
        {},
        {},
        {},
        "",
    )


def _gallery(image_ids, tags):
    dataset = _dataset(image_ids)
    scores = np.array([[0.1, 0.2, 0.7], [0.5, 0.4, 0.1], [0.6, 0.3, 0.1]], np.float32)
    setting = Setting(dataset, "val", tags, dataset.vocabularies[tags])
    nothing = np.zeros((3, 2), np.float32)
    cgan = SystemPredictions("cgan", "cgan", rank_scores(scores, 3), nothing, nothing)
    photos = gallery_photos(dataset, setting.rows)
    return shown_photos(answers_of(setting, [cgan], gallery=photos))


def test_gallery_holds_the_photos_with_a_thumbnail():
    first, second = _gallery(np.array([11, 12, 13]), USER)
    assert (first.image_id, second.image_id) == (11, 13)
    assert type(first.image_id) is int
    assert (first.thumbnail_jpeg, second.thumbnail_jpeg) == (b"zero", b"two")
    assert first.user_tags == ["sea", "outside"]
    assert first.annotations == ["sky"]
    assert [word for word, _, _ in second.generated] == ["night", "sea", "sky"]


@pytest.mark.parametrize(
    ("tags", "hits"), [(USER, [False, True, False]), (BOTH, [True] * 2 + [False])]
)
def test_gallery_hits_follow_what_the_run_learnt(tags, hits):
    ids = np.array(["a", "b", "c"], dtype=object)
    photo = _gallery(ids, tags)[0]
    assert photo.image_id == "a"
    assert [(word, hit) for word, _, hit in photo.generated] == list(
        zip(("sky", "sea", "night"), hits, strict=True)
    )
