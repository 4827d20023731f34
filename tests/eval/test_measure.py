"""The figures of a report, on three evaluated images whose figures are worked out by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.answers import answers_of
from scipy import sparse

from eval.answers import Drawn
from eval.evaluation import measure
from eval.figures.metrics import RankingWithTruth
from eval.predictions import SystemPredictions
from eval.sections.coverage import coverage, diversity, skewness
from eval.sections.tags import per_tag
from eval.setting import Setting
from mmcgan.inference.words.ranking import Ranking, rank_scores
from mmcgan.inference.words.vocabulary import Vocabulary
from mmcgan.training.prepared.dataset import Dataset, TagTable

# split, user tags, annotations; zebra is in no vocabulary, so the photo of row 5 is skipped.
PHOTOS = [
    (0, ["cat"], []),
    (0, ["dog", "sea"], []),
    (1, ["sea"], []),
    (2, ["cat", "zebra"], ["sky"]),
    (2, ["dog", "sea"], []),
    (2, ["zebra"], ["sky"]),
    (2, ["sky"], ["sky", "people"]),
]
USER_WORDS = ("cat", "dog", "sea", "sky")
ALL_WORDS = ("cat", "dog", "people", "sea", "sky")
# cgan's scores of ALL_WORDS for the three evaluated photos (rows 3, 4 and 6).
CGAN = np.array([[5, 4, 3, 2, 1], [5, 4, 3, 2, 1], [4, 3, 2, 1, 5]], np.float32)
FREQUENCY = np.tile(np.array([[5, 4, 1, 3, 2]], np.float32), (3, 1))


def vocabulary(words):
    return Vocabulary(words, np.eye(len(words), dtype=np.float32), np.ones(len(words), np.int64))


def dataset(with_annotations=True):
    splits, tags, annotations = zip(*PHOTOS, strict=True)
    tables = {"user": TagTable.from_lists(tags)}
    vocabularies = {"user": vocabulary(USER_WORDS)}
    if with_annotations:
        tables["annotations"] = TagTable.from_lists(annotations, ("flower", "people", "sky"))
        vocabularies["user+annotations"] = vocabulary(ALL_WORDS)
    return Dataset(
        name="seven",
        image_ids=np.arange(10, 17),
        split=np.array(splits, np.uint8),
        features=np.zeros((7, 2), np.float32),
        tags=tables,
        vocabularies=vocabularies,
        thumbnails={},
        truth=None,
        config={},
        backbone={},
        counts={},
        versions={},
        command="",
    )


def setting(tags="user+annotations", with_annotations=True):
    data = dataset(with_annotations)
    return Setting(data, "val", tags, data.vocabularies[tags])


def predictions(name, role, scores, concepts):
    concept_scores = scores[:, concepts]
    return SystemPredictions(
        name, role, rank_scores(scores, 1000), concept_scores, np.zeros_like(concept_scores)
    )


def report_of(where, columns, concepts, **changes):
    systems = [
        predictions("cgan", "cgan", CGAN[:, columns], concepts),
        predictions("frequency", "rival", FREQUENCY[:, columns], concepts),
    ]
    checks = {"distinct_words": 5.0, "noise_variance_share": 0.0}
    found = {
        "has_duplicate": np.array([True, False, False]),
        "drawn": drawn(checks),
        "tuning": {"frequency": {"tried": [], "chosen": {}, "refitted": False}},
    }
    return measure(answers_of(where, systems, **(found | changes)))


def drawn(checks):
    return Drawn(np.zeros((3, 0), int), np.zeros((3, 0, 10), int), checks)


@pytest.fixture(scope="module")
def report():
    return report_of(setting(), range(5), [2, 4])


@pytest.fixture(scope="module")
def user_report():
    """The same of a run that learnt user tags, on data without annotations."""
    return report_of(setting("user", with_annotations=False), [0, 1, 3, 4], [])


def test_report_counts_images_and_concepts(report):
    assert report["n_images"] == 3
    assert report["n_skipped"] == 1  # its only tag is outside the vocabulary
    assert report["concepts"] == ["people", "sky"]  # flower is not in the vocabulary
    assert report["n_concepts"] == 2
    assert report["n_concepts_without_photo"] == 0
    assert report["relevances"] == ["user", "user+annotations"]
    assert (report["split"], report["tags"]) == ("val", "user+annotations")


@pytest.mark.parametrize(
    ("system", "relevance", "metric", "value"),
    [
        ("cgan", "user", "P@1", 2 / 3),  # cat ✓, cat ✗, sky ✓
        ("cgan", "user", "P@10", (1 + 2 + 1) / 30),
        ("cgan", "user+annotations", "P@10", (2 + 2 + 2) / 30),
        ("cgan", "user+annotations", "R@1", (1 / 2 + 0 + 1 / 2) / 3),
        # cat 1, sky 5: (1 + 2/5)/2; dog 2, sea 4: (1/2 + 2/4)/2; sky 1, people 4: (1 + 2/4)/2
        ("cgan", "user+annotations", "MiAP", (0.7 + 0.5 + 0.75) / 3),
        ("frequency", "user", "P@1", 1 / 3),
    ],
)
def test_report_gives_the_figures_worked_out_by_hand(report, system, relevance, metric, value):
    found = report["systems"][system][relevance][metric]
    assert found["value"] == pytest.approx(value)
    assert found["low"] <= found["value"] <= found["high"]


def test_ratios_are_those_of_the_precisions_on_the_same_images(report):
    for relevance, ratios in report["ratios"].items():
        values = {n: s[relevance]["P@10"]["value"] for n, s in report["systems"].items()}
        assert set(ratios) == set(values) - {"cgan"}
        for name, ratio in ratios.items():
            assert ratio["value"] == pytest.approx(values["cgan"] / values[name])
            # With so few words all are in every top ten: no image can make a difference.
            assert ratio["low"] == ratio["high"] == pytest.approx(1)


def test_concept_map_is_ranked_by_the_annotations_alone(report):
    # people: two tied above the one that has it, 1/3. sky: first, then one of two tied at ranks
    # 2 and 3, (1 + (2/2 + 2/3)/2)/2 = 11/12. The mean of both is 5/8.
    assert report["systems"]["cgan"]["concept_MAP"]["value"] == pytest.approx(5 / 8)


def test_concept_map_of_constant_scores_is_the_random_one(report):
    # One of three: (1 + 1/2 + 1/3)/3 = 11/18. Two of three: (1 + 5/6 + 7/12)/3 = 29/36.
    value = report["systems"]["frequency"]["concept_MAP"]["value"]
    assert value == pytest.approx((11 / 18 + 29 / 36) / 2)


def test_report_says_what_is_relevant_and_what_could_be_reached(report):
    by_user = report["relevance"]["user"]
    assert by_user["n_relevant_mean"] == pytest.approx(4 / 3)
    assert by_user["n_outside_vocabulary"] == 1  # zebra, of the photos that are evaluated
    by_both = report["relevance"]["user+annotations"]
    assert by_both["n_relevant_mean"] == 2
    assert by_both["ceiling"] == pytest.approx({"P@1": 1.0, "P@5": 0.4, "P@10": 0.2})


def test_report_counts_annotations_outside_a_vocabulary_of_user_tags():
    where = setting("user")
    # zebra by user tags; zebra, people and nothing else by both (sky is a user tag too).
    assert [where.n_outside(r) for r in where.relevant] == [1, 2]
    assert where.concepts == ["sky"]


def test_report_leaves_out_what_the_data_cannot_give(user_report):
    assert user_report["relevances"] == ["user"]
    assert user_report["n_concepts"] == 0
    for system in user_report["systems"].values():
        assert "concept_MAP" not in system
        assert "user+annotations" not in system
        assert "user" in system


def test_report_is_plain_json_without_nan(report, user_report):
    for found in (report, user_report):
        assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_per_tag_lists_frequent_words_first(report):
    lines = report["per_tag"]
    assert [line["word"] for line in lines] == ["sky", "cat", "dog", "people", "sea"]
    assert lines[0] == {
        "word": "sky",
        "n_relevant": 2,
        "n_predicted": 3,
        "n_hits": 2,
        "precision": 2 / 3,
        "recall": 1.0,
    }


def test_per_tag_has_no_share_of_nothing():
    # One photo that carries word 0 and is given word 1: neither word has both shares.
    relevant = sparse.csr_array(np.array([[1, 0]], np.float32))
    ranked = RankingWithTruth(ranking([[1]]), relevant, np.eye(2, dtype=np.float32))
    first, second = per_tag(ranked, vocabulary(("a", "b")))
    assert (first["precision"], first["recall"]) == (None, 0)
    assert (second["precision"], second["recall"]) == (0, None)


def test_curves_pass_through_the_precisions(report):
    curve = report["curves"]["cgan"]["user+annotations"]
    figures = report["systems"]["cgan"]["user+annotations"]
    assert curve["k"] == list(range(1, 21))
    for k in (1, 5, 10):
        assert curve["precision"][k - 1] == pytest.approx(figures[f"P@{k}"]["value"])
        assert curve["recall"][k - 1] == pytest.approx(figures[f"R@{k}"]["value"])


def test_near_duplicates_are_counted_and_left_out(report):
    found = report["near_duplicates"]
    assert (found["threshold"], found["n_images"]) == (0.9, 1)
    assert found["P@10_without"]["cgan"] == pytest.approx(
        {"user": (2 + 1) / 20, "user+annotations": 0.2}
    )


def test_near_duplicates_everywhere_leave_no_figure():
    found = report_of(setting(), range(5), [2, 4], has_duplicate=np.ones(3, np.bool_))
    assert found["near_duplicates"]["n_images"] == 3
    assert found["near_duplicates"]["P@10_without"]["cgan"] == {}


def test_retrieval_counts_are_sorted(report):
    assert report["retrieval_counts"]["cgan"] == [3, 3, 3, 3, 3]


def test_report_counts_the_words_that_are_ever_right(report):
    assert report["systems"]["cgan"]["n_plus"] == {"user": 4, "user+annotations": 5}


def test_unknown_controls_are_left_out():
    log = [{"adversarial_gradient_share": share} for share in (0.2, None, 0.3)]
    checks = drawn({"distinct_words": None})
    found = report_of(setting(), range(5), [2, 4], drawn=checks, log=[*log, {}])
    assert found["cgan_checks"]["adversarial_gradient_share"] == 0.25
    assert set(found["cgan_checks"]) == {
        "adversarial_gradient_share",
        "vocabulary_coverage",
        "shuffled_P@10",
    }
    assert "distinct_words" not in {check["name"] for check in found["checks"]}


def test_checks_name_what_failed(report):
    passed = {check["name"]: check["passed"] for check in report["checks"]}
    assert passed == {
        "distinct_words": True,  # 5 of a vocabulary of 5
        "noise_variance_share": False,
        "vocabulary_coverage": True,
        "shuffled_P@10": True,
        "above_frequency": False,  # both name all five words in ten places
    }


def test_tuning_is_passed_on(report):
    assert report["tuning"] == {"frequency": {"tried": [], "chosen": {}, "refitted": False}}


def ranking(rows):
    return Ranking(np.array(rows, np.int32), *np.zeros((2, *np.shape(rows)), np.float32))


def test_breadth_of_a_hub():
    # Word 0 is in all three top tens, the others in one each: counts 3, 1, 1, 1 of 6 places.
    # Their standard scores: (1.5, -.5, -.5, -.5)/√.75; mean cube .75/.75^1.5 = 1/√.75.
    found = coverage(ranking([[0, 1], [0, 2], [0, 3]]), vocabulary(USER_WORDS))
    # Shares 1/2, 1/6, 1/6, 1/6: entropy (log 2 + log 6) / 2 of at most log 4.
    assert found == pytest.approx(
        {
            "coverage": 1.0,
            "entropy": np.log(12) / 2 / np.log(4),
            "hub_share": 0.5,
            "hub_word": "cat",
            "hub_skewness": 0.75**-0.5,
            "diversity": 1.0,
        }
    )


def test_breadth_counts_only_the_top_ten():
    words = tuple(f"w{i:02}" for i in range(20))
    found = coverage(ranking([range(20)]), vocabulary(words))
    assert found["coverage"] == 0.5
    assert found["hub_share"] == 0.1


def test_diversity_is_the_mean_cosine_distance_of_pairs():
    vectors = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]], np.float32)
    # Cosines of the pairs: .6, 0, .8; distances .4, 1, .2.
    assert diversity(ranking([[0, 1, 2]]), vectors) == pytest.approx(1.6 / 3)
    assert diversity(ranking([[0, 1, 2], [0, 1, 2]]), vectors) == pytest.approx(1.6 / 3)
    assert diversity(ranking([[0]]), vectors) is None


def test_skewness_of_equal_counts_is_unknown():
    assert skewness(np.array([2, 2, 2])) is None
