"""Rules of words, and our table of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import data_prep
from data_prep.text import read_stop_list
from mmcgan.inference.model_dir import PRETRAINED
from mmcgan.inference.words.objects import class_words, object_words
from mmcgan.inference.words.rules import NEVER, Row, Rules, RuleTable

TABLE = RuleTable.read()
RANKED = [("mar", 0.8), ("sky", 0.7), ("sea", 0.6), ("paris", 0.5), ("flowers", 0.4), ("sun", 0.3)]


def test_words_that_become_the_same_have_the_best_of_their_scores():
    rules = Rules({"mar": "sea", "flowers": "flower"})
    assert rules.apply([*RANKED, ("flower", 0.9)]) == [
        ("flower", 0.9),
        ("sea", 0.8),
        ("sky", 0.7),
        ("paris", 0.5),
        ("sun", 0.3),
    ]


def test_a_word_that_is_never_given_is_left_out_whatever_its_score():
    assert [word for word, _ in Rules({"mar": NEVER, "paris": NEVER}).apply(RANKED)] == (
        ["sky", "sea", "flowers", "sun"]
    )


def test_a_word_is_given_from_its_threshold_on():
    kept = Rules(thresholds={"sky": 0.7, "sea": 0.61}).apply(RANKED)
    assert [word for word, _ in kept] == ["mar", "sky", "paris", "flowers", "sun"]
    folded = Rules({"mar": "sea"}, {"sea": 0.8}).apply(RANKED)
    assert folded[0] == ("sea", 0.8)  # as sure as the word that became it


def test_without_rules_words_stay_in_their_order_even_with_scores_below_zero():
    scored = [("b", 0.1), ("a", -0.2), ("c", -0.2)]
    assert Rules().apply(scored) == scored


def test_likely_particular_words_come_before_general_ones():
    scored = [("blue", 0.9), ("sea", 0.8), ("jellyfish", 0.7), ("coral", 0.65), ("fish", 0.62)]
    rules = Rules(general=frozenset({"blue", "sea"}))
    assert [word for word, _ in rules.apply(scored)] == (
        ["jellyfish", "coral", "blue", "sea", "fish"]
    )
    unsure = [(word, score - 0.15) for word, score in scored]
    assert rules.apply(unsure) == unsure
    assert Rules().apply(scored) == scored
    assert rules.depth(1) >= 10**6  # a particular word may be far down


def test_the_best_k_words_are_the_first_of_more():
    scored = [(word, 0.95 - 0.05 * place) for place, word in enumerate("abcdefgh")]
    rules = Rules(general=frozenset("abc"))
    ranked = rules.apply(scored)
    assert sorted(word for word, _ in ranked) == list("abcdefgh")
    assert [word for word, _ in ranked[:5]] == ["d", "e", "a", "b", "c"]


def test_of_likely_particular_words_the_narrower_come_first():
    scored = [("blue", 0.9), ("bird", 0.8), ("owl", 0.7), ("branch", 0.65)]
    rules = Rules(broader={"owl": ("bird",)}, general=frozenset({"blue"}))
    assert [word for word, _ in rules.apply(scored)] == ["owl", "branch", "blue", "bird"]


def test_depth_leaves_k_words_whatever_is_folded_or_dropped():
    words = [f"w{i:02}" for i in range(40)]
    rules = Rules(
        {**dict.fromkeys(words[1:6], "w00"), "w07": "w06", **dict.fromkeys(words[10:14], NEVER)},
        {"w20": 0.9, "w21": 0.9},
    )
    for k in (1, 2, 5, 10):
        # the worst that can be: whatever has a rule is ranked first
        ruled = [w for w in words if w in rules.becomes or w in rules.thresholds]
        ranked = ruled + [w for w in words if w not in ruled]
        scored = [(word, 0.5) for word in ranked[: rules.depth(k)]]
        assert len(rules.apply(scored)) >= k
    assert Rules().depth(10) == 10


def test_a_chain_of_rules_is_refused():
    with pytest.raises(ValueError, match="ocean becomes sea, which becomes water"):
        Rules({"ocean": "sea", "sea": "water"})


def test_rules_are_those_of_the_words_that_a_model_may_give():
    table = RuleTable(
        {
            row.word: row
            for row in (
                Row("mar", "sea", (), None),
                Row("sea", "", ("water",), 0.5),
                Row("paris", NEVER, (), None),
                Row("beagle", "", ("dog",), 0.6),
                Row("pug", "", ("dog",), 0.6),
            )
        }
    )
    assert table.rules(["mar", "beagle", "unheard of"]) == (
        Rules(
            {"mar": "sea"},
            {"beagle": 0.6, "sea": 0.5},
            {"beagle": ("dog",), "sea": ("water",)},
        )
    )
    assert table.rules([]) == Rules()


def test_broader_word_is_at_least_as_likely_as_what_it_is_broader_than():
    rules = Rules({"mar": "sea"}, broader={"sea": ("water",), "sun": ("sky",)})
    assert dict(rules.apply([("mar", 0.8), ("sky", 0.7), ("sun", 0.3)])) == (
        {"sea": 0.8, "water": 0.8, "sky": 0.7, "sun": 0.3}
    )


def test_broader_words_are_transitive():
    assert TABLE.broader("golden_retriever") == {"dog", "animal"}
    assert TABLE.broader("ladybug") == {"insect", "animal"}
    assert TABLE.broader("volcano") == {"mountain", "landscape", "nature"}
    assert TABLE.broader("no such word") == set()


def test_a_word_that_is_none_is_refused(tmp_path):
    path = tmp_path / "rules.csv"
    path.write_text("word,becomes,broader,threshold\n...,sea,,\n")
    with pytest.raises(ValueError, match=r"'\.\.\.', which is no word"):
        RuleTable.read(path)


# --- our table ---


def test_every_word_of_the_model_that_ships_was_decided_on():
    words = json.loads((PRETRAINED / "model.json").read_text(encoding="utf-8"))["words"]
    assert set(words) <= TABLE.rows.keys()


def test_every_word_that_is_named_has_a_row_of_its_own():
    named = {row.becomes for row in TABLE.rows.values()} - {"", NEVER}
    broader = {word for row in TABLE.rows.values() for word in row.broader}
    assert named | broader | set(object_words().words) <= TABLE.rows.keys()


def test_nothing_becomes_a_word_that_becomes_another():
    everything = TABLE.rules(TABLE.rows)
    assert not {*everything.becomes.values()} & everything.becomes.keys()
    assert not set(object_words().words) & everything.becomes.keys()


def test_no_word_is_broader_than_itself():
    assert [word for word in TABLE.rows if word in TABLE.broader(word)] == []


def test_the_stop_list_holds_for_all_words_that_may_be_given():
    stop_list = read_stop_list(Path(data_prep.__file__).with_name("stop_list.txt"))
    given = {*object_words().words}
    given |= {row.word for row in TABLE.rows.values() if not row.becomes}
    assert sorted(word for word in given if word in stop_list) == []


@pytest.mark.parametrize(
    ("words", "becomes"),
    [
        ("flowers flor fleur flores blumen blume", "flower"),
        ("kitty", "cat"),
        ("bw blackandwhite bn noiretblanc", "black_and_white"),
        ("london paris italia japan california 東京 ایران", NEVER),
        ("hdr dof_ lomo wideangle flash longexposure", NEVER),
        ("christmas city beach bokeh indoor orange", ""),
        ("macro closeup", "close_up"),
        ("plant_life plants", "plant"),
        ("transport", "vehicle"),
        ("structures", "architecture"),
        ("animals", "animal"),
        ("clouds nubes nuvole", "cloud"),
    ],
)
def test_words_of_flickr_become_words_for_people(words, becomes):
    known = [word for word in words.split() if not word.endswith("_")]
    assert {TABLE.rows[word].becomes for word in known} == {becomes}


def test_breeds_are_given_only_when_sure():
    breeds = [word for word in class_words() if word and "dog" in TABLE.broader(word)]
    thing = {"dog_muzzle", "dog_sled"}
    assert len(set(breeds) - thing) > 80
    assert all(TABLE.rows[word].threshold for word in set(breeds) - thing)
    assert TABLE.rows["dog"].threshold is None
