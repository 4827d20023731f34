"""The plots: markup that is safe and the same every time, whatever the data."""

import math
import re
import warnings
from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from eval.pages import plots
from eval.pages.plots import Line, log_plot, system_lines
from eval.pages.svg import PALETTE, drawing, label, label_width, new_axes, svg
from eval.sections import coverage, curves, learning, systems, tags
from mmcgan.inference.words.vocabulary import printed

LINES = {"cgan": Line("cgan", width=2.8), "mlp": Line("series-1")}
SCRIPTS = ("日本", "مدينة", "🌅🏔", "ελλάδα", "नमस्ते")
HOSTILE = ("<script>alert(1)</script>", "$\\frac{1}$", "$", "a&b", '"', "</svg>", "#c2491d", "_x")


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def _texts(plot: str) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(plot).iter("text")]


def _tag(word: str, n_relevant: int = 10, n_predicted: int = 5, recall: float | None = 0.2) -> dict:
    counts = {"n_relevant": n_relevant, "n_predicted": n_predicted, "n_hits": 2}
    return {"word": word, **counts, "precision": None, "recall": recall}


def _curves(ks: list[int], value: float = 0.1) -> dict:
    curve = {"k": ks, "precision": [value] * len(ks), "recall": [value] * len(ks)}
    return {name: {"user": curve} for name in LINES}


def _train(update: int, **values: float) -> dict:
    return {"event": "train", "update": update, **values}


def _dev_plot(log: list[dict]) -> Markup | None:
    return log_plot(log, {"P@10": Line("cgan", width=2)}, "dev", "P@10 on dev")


def _distinct_plot(log: list[dict]) -> Markup | None:
    return log_plot(log, {"distinct_words": Line("cgan")}, "distinct", "distinct words of a photo")


def _all_plots() -> list[Markup | None]:
    words = [_tag(word, 50 - i) for i, word in enumerate((*SCRIPTS, *HOSTILE))]
    figures = {"cgan": {"value": 0.1, "low": 0.05, "high": 0.2}}
    log = [_train(i, loss_d_real=1 / i, d_accuracy_real=0.5) for i in range(1, 9)]
    log += [{"event": "evaluate", "update": 8, "P@10": 0.1, "distinct_words": 40.0}]
    return [
        systems.interval_plot(figures, LINES, "P@10", "user"),
        curves.curve_plot(_curves([1, 2, 3]), "user", "precision", LINES),
        curves.curve_plot(_curves([1, 2, 3]), "user", "recall", LINES),
        learning.loss_plot(log),
        learning.accuracy_plot(log),
        _dev_plot(log),
        _distinct_plot(log),
        tags.tag_plot(words),
        tags.balance_plot(words),
        coverage.retrieval_plot({"cgan": [9, 4, 1, 0], "mlp": [3, 3, 3]}, LINES),
    ]


@pytest.fixture(scope="module")
def all_plots() -> list[Markup | None]:
    return _all_plots()


def test_every_plot_is_one_svg_element_for_a_page(all_plots):
    for plot in all_plots:
        assert isinstance(plot, Markup)
        root = ElementTree.fromstring(plot)
        assert root.tag == "svg"
        assert root.get("role") == "img"
        assert len(root.get("aria-label")) > 20
        assert "http" not in plot
        assert not {"script", "style", "metadata", "image"} & {e.tag for e in root.iter()}


def test_every_plot_is_the_same_bytes_again(all_plots):
    assert _all_plots() == all_plots


def test_plot_ids_are_its_own_and_all_are_there(all_plots):
    seen: set[str] = set()
    for plot in all_plots:
        ids = set(re.findall(r'\bid="([^"]+)"', plot))
        assert set(re.findall(r'(?:href="|url\()#([^")]+)', plot)) <= ids
        assert not ids & seen
        seen |= ids


def test_plot_colours_follow_the_page():
    plot = curves.curve_plot(_curves([1, 2]), "user", "recall", LINES)
    assert f"stroke:var(--cgan,{PALETTE['cgan'][0]})" in plot
    colours = re.findall(r"(?:stroke|fill):(#\w+)", plot)
    assert colours == []


@pytest.mark.parametrize("word", [*SCRIPTS, *HOSTILE])
def test_tag_text_is_shown_as_it_is_and_escaped(word):
    for plot in (tags.tag_plot([_tag(word)]), tags.balance_plot([_tag(word)])):
        assert label(printed(word)) in _texts(plot)
        assert "<script" not in plot


def test_tag_plot_takes_control_characters_and_long_words():
    texts = _texts(tags.tag_plot([_tag("a\x00\x1b\u202eb"), _tag("x" * 100)]))
    assert "ab" in texts
    assert "x" * 21 + "…" in texts


def test_tag_plot_shows_the_most_frequent_only():
    texts = _texts(tags.tag_plot([_tag(f"tag{i}") for i in range(60)]))
    assert "tag0" in texts
    assert f"tag{tags.N_BARS - 1}" in texts
    assert f"tag{tags.N_BARS}" not in texts


def test_tag_plots_take_measures_that_are_none():
    assert tags.tag_plot([_tag("a", recall=None)])
    assert tags.balance_plot([_tag("a", n_predicted=0)])


def test_plots_of_nothing_are_left_out():
    assert tags.tag_plot([]) is None
    assert tags.balance_plot([_tag("a", n_relevant=0)]) is None
    assert coverage.retrieval_plot({}, LINES) is None
    assert coverage.retrieval_plot({"cgan": [0, 0]}, LINES) is None
    for plot in (learning.loss_plot, learning.accuracy_plot, _dev_plot, _distinct_plot):
        assert plot([]) is None
        assert plot([{"event": "other", "update": 1}]) is None


@pytest.mark.parametrize("value", [0.0, 0.1, 1.0, 1e-9])
def test_plots_take_constant_values_and_one_system(value):
    figures = {"cgan": {"value": value, "low": value, "high": value}}
    assert systems.interval_plot(figures, LINES, "P@10", "user")
    assert curves.curve_plot(_curves([1, 2], value), "user", "precision", LINES)
    assert _dev_plot([{"update": i, "P@10": value} for i in range(5)])


def test_a_single_k_is_drawn_as_a_point():
    one = curves.curve_plot(_curves([1]), "user", "precision", LINES)
    assert len(ElementTree.fromstring(one).findall(".//use")) == len(LINES)
    assert _dev_plot([{"update": 5, "P@10": 0.1}])


def test_retrieval_plot_takes_one_word():
    assert coverage.retrieval_plot({"cgan": [1]}, LINES)
    assert coverage.retrieval_plot({"cgan": list(range(5000, 0, -1))}, LINES)


def test_log_series_leaves_out_what_is_no_number():
    log = [_train(1, x=1.0), _train(2, x=math.nan), _train(3), _train(4, x=math.inf)]
    log += [{"update": 5, "x": None}, _train(6, x=3.0)]
    assert plots.log_series(log, "x") == ([1, 6], [1.0, 3.0])


def test_log_series_averages_neighbours_of_a_long_log():
    n = 2 * plots.MAX_POINTS
    updates, values = plots.log_series([_train(i, x=i % 2) for i in range(n)], "x")
    assert len(updates) == len(values) == plots.MAX_POINTS
    assert updates[0] == 0.5
    assert set(values) == {0.5}


def test_system_lines_let_the_cgan_stand_out_and_keep_rivals_apart():
    rivals = ["knn", "regression", "ridge", "mlp", "a", "b", "c"]
    roles = {"cgan": "cgan", "frequency": "rival"} | dict.fromkeys(rivals, "rival")
    roles |= {"cgan+x": "variant", "cgan+y": "variant", "shuffled": "control"}
    lines = system_lines(roles)
    assert list(lines) == list(roles)
    assert len(set(lines.values())) == len(lines)
    assert max(lines, key=lambda name: lines[name].width) == "cgan"
    assert {lines[name].colour for name in roles if "cgan" in name} == {"cgan"}
    assert lines["frequency"].colour == lines["shuffled"].colour == "frequency"


def test_line_dashes_for_the_legend_are_scaled_as_in_plots():
    assert Line("cgan", (4, 1.5), 2).css_dashes == "8 3"


def test_label_width_counts_wide_letters_twice():
    assert label_width("ab日本") == 6
    assert label_width("") == 0


def test_palette_names_each_light_colour_once():
    lights = [light for light, _ in PALETTE.values()]
    assert len(set(lights)) == len(lights)


def test_svg_escapes_its_description():
    with drawing():
        figure, _ = new_axes()
        plot = svg(figure, "x", '"><script>')
    assert "<script>" not in plot
    assert ElementTree.fromstring(plot).get("aria-label") == '"><script>'
