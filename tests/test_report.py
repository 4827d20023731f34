"""The report: what its pages hold, that hostile text stays text, that nothing else is needed."""

import io
import json
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from data_prep.photos import Photo
from eval.pages.gallery import GalleryPhoto, build_gallery
from eval.pages.prose import compared, discriminator_state, summary
from eval.pages.report import markdown_table, render_html, render_markdown, write_report
from eval.pages.tables import Cell, Row, Table, number, parameters, system_table, tag_tables
from mmcgan.dataset import Dataset, TagTable
from mmcgan.words.ranking import rank_scores
from mmcgan.words.vocabulary import Vocabulary, unit_rows

USER, BOTH = "user", "user+annotations"
EVIL = "<script>alert('x')</script>"
MEASURES = ("P@1", "P@5", "P@10", "R@1", "R@5", "R@10", "MiAP", "semantic_P@10")
WORDS = "sky nature canon nikon clouds night blue 2007 portrait water 日本 girl sea cielo emoji_🌅 "
WORDS += "مدينة plant_life black_and_white tree people flower sunset car street macro light music "
WORDS += "architecture food dog cat beach snow river fleur bokeh concert bridge reflection graffiti"


def made_report() -> dict:
    """Return a report such as `eval.measure` gives, with made-up but likely numbers."""
    random = np.random.default_rng(5)
    levels = {"cgan": (0.031, 0.26), "frequency": (0.038, 0.291), "knn": (0.099, 0.386)}
    levels |= {"regression": (0.061, 0.31), "ridge": (0.105, 0.392), "mlp": (0.108, 0.400)}
    levels |= {"cgan+prior": (0.052, 0.30), "cgan shuffled": (0.022, 0.19)}
    return {
        "format": "mmcgan-report",
        "format_version": 1,
        "split": "val",
        "tags": USER,
        "relevances": [USER, BOTH],
        "n_images": 3142,
        "n_skipped": 858,
        "n_concepts": 24,
        "concepts": ["sky", "sea", "night"],
        "systems": {name: _system(name, *level) for name, level in levels.items()},
        "cgan_checks": {
            "distinct_words": 21.4,
            "noise_variance_share": 0.012,
            "vocabulary_coverage": 0.083,
            "shuffled_P@10": 0.022,
            "adversarial_gradient_share": 1.0,
        },
        "checks": _checks(),
        "relevance": {
            USER: {
                "n_relevant_mean": 3.7,
                "n_outside_vocabulary": 8211,
                "ceiling": {"P@1": 1.0, "P@5": 0.61, "P@10": 0.344},
            },
            BOTH: {
                "n_relevant_mean": 8.2,
                "n_outside_vocabulary": 8211,
                "ceiling": {"P@1": 1.0, "P@5": 0.95, "P@10": 0.742},
            },
        },
        "near_duplicates": {
            "threshold": 0.95,
            "n_images": 141,
            "P@10_without": {n: {USER: u * 0.97, BOTH: b * 0.99} for n, (u, b) in levels.items()},
        },
        "curves": {name: _curves(*level) for name, level in levels.items()},
        "per_tag": _per_tag(random),
        "retrieval_counts": {
            name: sorted((random.pareto(1.1, 1300) * 10).astype(int).tolist(), reverse=True)
            for name in levels
        },
        "tuning": {
            "knn": _tuning("k", (10, 30, 100, 300)),
            "ridge": _tuning("alpha", (1.0, 10.0, 100.0, 1e4)),
            "mlp": _tuning("units", (256, 512, 1024, 2048)),
        },
        "truth": {
            "total_variation": 0.31,
            "mode_coverage": 0.72,
            "n_draws": 100000,
            "description": "Tags drawn from the generated vectors, against p(tag | scene).",
        },
        "metrics": {name: f"What {name} means, in one sentence." for name in MEASURES},
        "data": {
            "name": "mirflickr",
            "n_photos": {"train": 11800, "dev": 790},
            "feature_size": 1408,
        },
        "run": {"seed": 0, "epochs": 40, "learning_rate": 0.1, "learning_rate_decay": 1.00004},
        "command": "python -m mmcgan.evaluate --run runs/paper --data data/mirflickr --split val",
        "versions": {"mmcgan": "0.1.0", "torch": "2.13.0"},
    }


def _interval(value: float, half: float = 0.003) -> dict:
    return {"value": value, "low": max(value - half, 0.0), "high": value + half}


def _system(name: str, user: float, both: float) -> dict:
    role = "cgan" if name == "cgan" else "rival"
    role = {"cgan+prior": "variant", "cgan shuffled": "control"}.get(name, role)
    scale = {"P@1": 1.7, "P@5": 1.25, "P@10": 1.0, "R@1": 0.4, "R@5": 1.3, "R@10": 2.2}
    return {
        "role": role,
        USER: {measure: _interval(user * scale.get(measure, 1.1)) for measure in MEASURES},
        BOTH: {measure: _interval(both * scale.get(measure, 1.1)) for measure in MEASURES},
        "concept_MAP": _interval(both * 1.85, 0.008),
        "coverage": user * 5,
        "n_plus": {USER: int(4000 * user), BOTH: int(1000 * both)},
        "diversity": 0.71,
        "hub_share": 0.05,
        "hub_word": "plant_life",
        "hub_skewness": 11.2,
    }


def _checks() -> list[dict]:
    checks = [
        ("beats_frequency", "The cgan is above tag frequency.", 0.031, "P@10 above 0.038", False),
        ("distinct_words", "Distinct words among the samples of a photo.", 21.4, "≥ 30", False),
        ("noise_variance_share", "Share of variance that is the noise's.", 0.012, "≥ 0.05", False),
        ("shuffled_P@10", "With the photos shuffled, P@10 falls.", 0.022, "at most 0.038", True),
        ("adversarial_gradient_share", "It learns from the discriminator.", 1.0, "≥ 0.5", True),
    ]
    return [
        dict(zip(("name", "description", "value", "target", "passed"), c, strict=True))
        for c in checks
    ]


def _curves(user: float, both: float) -> dict:
    ks = list(range(1, 21))
    return {
        relevance: {
            "k": ks,
            "precision": [level * (1 + 1.4 / k**0.7) for k in ks],
            "recall": [3 * level * (1 - math.exp(-k / 9)) for k in ks],
        }
        for relevance, level in ((USER, user), (BOTH, both))
    }


def _per_tag(random: np.random.Generator) -> list[dict]:
    tags = []
    for place, word in enumerate(WORDS.split()):
        n_relevant, n_predicted = 600 // (place + 2) + 5, int(random.integers(0, 900))
        n_hits = int(min(n_relevant, n_predicted) * random.uniform(0, 0.7))
        tags.append(
            {
                "word": word,
                "n_relevant": n_relevant,
                "n_predicted": n_predicted,
                "n_hits": n_hits,
                "precision": n_hits / n_predicted if n_predicted else None,
                "recall": n_hits / n_relevant,
            }
        )
    return tags


def _tuning(name: str, values: tuple) -> dict:
    tried = [{"params": {name: v}, "P@10": 0.1 + 0.001 * i} for i, v in enumerate(values)]
    return {"tried": tried, "chosen": {name: values[-1]}, "refitted": False}


def lean_report() -> dict:
    """Return a report without the data of most plots, which take long to draw."""
    drawn = ("curves", "per_tag", "retrieval_counts")
    return {key: value for key, value in made_report().items() if key not in drawn}


def made_log(n: int = 60) -> list[dict]:
    log: list[dict] = []
    for i in range(n):
        log.append(
            {
                "event": "train",
                "update": 100 * (i + 1),
                "epoch": i / 10,
                "loss_d_real": 0.05 + 0.6 * math.exp(-i / 8),
                "loss_d_fake": 0.04 + 0.65 * math.exp(-i / 9),
                "loss_g_adversarial": 3.4 - 2.7 * math.exp(-i / 12) + 0.1 * math.sin(i),
                "d_accuracy_real": 0.985 - 0.4 * math.exp(-i / 6),
                "d_accuracy_fake": 0.991 - 0.5 * math.exp(-i / 5),
            }
        )
        if i % 6 == 5:
            p10, words = 0.03 + 0.002 * math.sin(i), 20 + 60 * math.exp(-i / 20)
            measured = {"P@10": p10, "distinct_words": words, "best": i == 5}
            log.append({"event": "evaluate", "update": 100 * (i + 1), "epoch": i / 10, **measured})
    return log


def made_gallery(n: int = 6) -> list[GalleryPhoto]:
    words = WORDS.split()
    return [
        GalleryPhoto(
            16001 + 37 * i,
            _jpeg((30 * i % 255, 120, 200 - 9 * i)) if i != 1 else None,
            words[i : i + 4 + i % 3],
            ["sky", "plant_life"] if i % 3 else [],
            [(words[(i + j) % 40], max(0.31 - 0.03 * j, 0), j in (0, 3)) for j in range(10)],
        )
        for i in range(n)
    ]


def _jpeg(colour: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (128, 128), colour).save(buffer, "JPEG")
    return buffer.getvalue()


class _Page(HTMLParser):
    """A parsed page: its elements with attributes, its text, and whether its tags are nested."""

    VOID = frozenset(("meta", "img", "br", "link", "input"))

    def __init__(self, html: str):
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.text, self._open = "", []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag: str) -> list[dict]:
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture(scope="module")
def html() -> str:
    return render_html(made_report(), made_log(), made_gallery())


@pytest.fixture(scope="module")
def page(html) -> _Page:
    return _Page(html)


@pytest.fixture(scope="module")
def markdown() -> str:
    return render_markdown(made_report(), made_log())


def test_report_is_written_in_three_formats(tmp_path):
    report = lean_report()
    write_report(tmp_path / "new", report, [], made_gallery())
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["report.html", "report.json", "report.md"]
    assert json.loads((tmp_path / "new/report.json").read_text("utf-8")) == report


def test_report_refuses_nan_and_writes_nothing_for_it(tmp_path):
    report = lean_report() | {"run": {"loss": float("nan")}}
    with pytest.raises(ValueError):
        write_report(tmp_path, report, [], [])
    assert list(tmp_path.iterdir()) == []


def test_report_is_the_same_bytes_again(html, markdown):
    assert render_html(made_report(), made_log(), made_gallery()) == html
    assert render_markdown(made_report(), made_log()) == markdown


def test_page_has_its_sections_in_order(page):
    ids = [attrs["id"] for attrs in page.all("section")]
    assert ids[:7] == ["checks", "systems", "gallery", "curves", "learning", "tags", "coverage"]
    assert ids[7:] == ["controls", "duplicates", "truth", "tuning", "glossary", "facts"]
    links = [attrs["href"] for attrs in page.all("a")]
    assert {link.lstrip("#") for link in links} == set(ids)


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


def _hostile_gallery() -> list[GalleryPhoto]:
    tags = [EVIL, '" onload="alert(1)', "'><img src=x>", "a&b"]
    generated = [(tag, 0.1, True) for tag in tags]
    return [GalleryPhoto(f'{EVIL}" onerror="x', _jpeg((1, 2, 3)), tags, tags, generated)]


def test_page_keeps_hostile_text_as_text():
    html = render_html(_hostile_report(), made_log(), _hostile_gallery())
    page = _Page(html)
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
    _assert_tables_are_well_formed(markdown)


def test_markdown_tables_are_well_formed(markdown):
    assert _assert_tables_are_well_formed(markdown) > 8
    assert "| ceiling (most that is possible) |" in markdown


def _assert_tables_are_well_formed(markdown: str) -> int:
    """Check that each table has a rule and rows of one width; return how many there are."""
    blocks = [block.splitlines() for block in re.split(r"\n\s*\n", markdown) if "\n| ---" in block]
    for lines in blocks:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
        assert len(widths) == 1, lines[0]
        assert set(lines[1]) == set("|- ")
        assert all(line.startswith("| ") and line.endswith(" |") for line in lines)
    assert sum(line.startswith("|") for line in markdown.splitlines()) == sum(map(len, blocks))
    return len(blocks)


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
    page = _Page(render_html(report, [], []))
    gone = {"checks": "checks", "near_duplicates": "duplicates", "tuning": "tuning"}
    gone |= {"truth": "truth", "metrics": "glossary", "cgan_checks": "controls"}
    sections = {attrs.get("id") for attrs in page.all("section")}
    assert gone.get(missing, "gallery") not in sections
    assert len(sections) >= 6
    _assert_tables_are_well_formed(render_markdown(report, []))


def test_report_leaves_out_plots_without_data():
    page = _Page(render_html(lean_report(), [], []))
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
    page = _Page(render_html(least, [], []))
    assert [a["id"] for a in page.all("section")] == ["systems"]
    assert "## Checks" not in render_markdown(least, [])


def test_system_table_bolds_the_best_and_ignores_controls():
    report = made_report()
    report["systems"]["cgan shuffled"][USER]["P@10"] = _interval(0.9)
    rows = {row.head: row for row in system_table(report, USER).rows}
    column = system_table(report, USER).columns.index("P@10") - 1
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
    best, worst = tag_tables(made_report())[1:]
    recalls = [float(row.cells[-1].text) for row in best.rows]
    assert recalls == sorted(recalls, reverse=True)
    assert float(worst.rows[0].cells[-1].text) <= min(recalls)
    assert len(best.rows) == len(worst.rows) == 15


def test_summary_says_how_the_cgan_compares():
    said = " ".join(summary(made_report()))
    assert "3,142 photos of the split val" in said
    assert "0.31 are right" in said
    assert "P@10 is 0.031 (95 % interval 0.028–0.034)" in said
    assert "clearly below the best rival, mlp, which reaches 0.108" in said
    assert "reaches 0.038 (95 % interval 0.035–0.041); the cgan is clearly below that." in said
    assert (
        "2 of 5 checks passed; failed: beats_frequency, distinct_words, noise_variance_share."
        in said
    )


def test_summary_says_what_was_left_out_and_why():
    report = made_report() | {
        "n_left_out": 12345, "rivals_left_out": {"ridge": "9 weights for 3 words, more than 8"}
    }  # fmt: skip
    said = " ".join(summary(report))
    assert (
        "(858 more had no tag to be judged by and were left out; 12,345 others were left out by "
        "chance, as these are enough)"
    ) in said
    assert "The rival ridge was left out: 9 weights for 3 words, more than 8." in said
    assert "left out" not in " ".join(summary(made_report() | {"n_skipped": 0}))


@pytest.mark.parametrize(
    ("low", "high", "how"),
    [(1.01, 1.04, "clearly above"), (0.99, 1.01, "not clearly different from"),
     (0.9, 0.98, "clearly below")],
)  # fmt: skip
def test_summary_compares_photo_by_photo_where_the_ratio_is_known(low, high, how):
    report = made_report()
    value = (low + high) / 2
    report["ratios"] = {report["tags"]: {"mlp": {"value": value, "low": low, "high": high}}}
    said = " ".join(summary(report))
    assert f"That is {how} the best rival, mlp, which reaches 0.108" in said
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
    vocabulary = dataset.vocabularies[tags]
    return build_gallery(dataset, np.arange(3), rank_scores(scores, 3), vocabulary, tags)


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
