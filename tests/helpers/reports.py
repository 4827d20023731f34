"""A made-up report, and what reads its pages."""

import io
import math
import re
from html.parser import HTMLParser

import numpy as np
from PIL import Image

from eval.findings import Findings, ShownPhoto
from eval.pages import report as pages
from eval.pages.summary import page_of

USER, BOTH = "user", "user+annotations"
EVIL = "<script>alert('x')</script>"
MEASURES = ("P@1", "P@5", "P@10", "R@1", "R@5", "R@10", "MiAP", "semantic_P@10")
WORDS = "sky nature canon nikon clouds night blue 2007 portrait water 日本 girl sea cielo emoji_🌅 "
WORDS += "مدينة plant_life black_and_white tree people flower sunset car street macro light music "
WORDS += "architecture food dog cat beach snow river fleur bokeh concert bridge reflection graffiti"


def made_report() -> dict:
    """Return a report such as `eval.evaluation` makes, with made-up but likely numbers."""
    random = np.random.default_rng(5)
    levels = {"cgan": (0.031, 0.26), "frequency": (0.038, 0.291), "knn": (0.099, 0.386)}
    levels |= {"regression": (0.061, 0.31), "ridge": (0.105, 0.392), "mlp": (0.108, 0.400)}
    levels |= {"mlp_ensemble": (0.1075, 0.399)}
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
            "mlp_ensemble": _tuning("units", (256, 512)) | {"n_members": 8, "n_tried_members": 2},
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


def render_html(report: dict, log: list, gallery: list) -> str:
    """Return the page of a report."""
    return pages.render_html(page_of(Findings(report, log, gallery)))


def render_markdown(report: dict, log: list) -> str:
    """Return the same as Markdown."""
    return pages.render_markdown(page_of(Findings(report, log)))


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


def made_gallery(n: int = 6) -> list[ShownPhoto]:
    words = WORDS.split()
    return [
        ShownPhoto(
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


class Page(HTMLParser):
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


def assert_tables_are_well_formed(markdown: str) -> int:
    """Check that each table has a rule and rows of one width; return how many there are."""
    blocks = [block.splitlines() for block in re.split(r"\n\s*\n", markdown) if "\n| ---" in block]
    for lines in blocks:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
        assert len(widths) == 1, lines[0]
        assert set(lines[1]) == set("|- ")
        assert all(line.startswith("| ") and line.endswith(" |") for line in lines)
    assert sum(line.startswith("|") for line in markdown.splitlines()) == sum(map(len, blocks))
    return len(blocks)
