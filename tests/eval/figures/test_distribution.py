"""Draws as a distribution over words: smoothing, choice on dev and reliability, by hand."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from scipy import sparse

from eval.figures import distribution as d
from eval.figures.distribution import Photos


def csr(rows) -> sparse.csr_array:
    return sparse.csr_array(np.array(rows, np.float32))


def photos(tags, draws=None, probabilities=None) -> Photos:
    """Photos of `tags` (N, V); without draws or a rival's probabilities, all are word 0 or even."""
    tags = csr(tags)
    draws = np.zeros((tags.shape[0], 1), int) if draws is None else np.array(draws)
    even = np.ones(tags.shape)
    logits = np.log(even if probabilities is None else np.array(probabilities))
    return Photos(tags, draws, logits.__getitem__)


def fixed(base: d.Base, log_prior, weight: float) -> d.Chosen:
    return d.Chosen(base, d.Mix({}, np.asarray(log_prior), weight), 0.0, 1)


def mix_of(mixes, **params) -> d.Mix:
    return next(mix for mix in mixes if mix.params == params)


# Four words; the training photos carry them 6, 3, 1 and 0 times, the last one counts as ½.
TRAIN = csr([[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 0, 0], *[[1, 0, 0, 0]] * 3])
TRAIN_PRIOR = np.array([6, 3, 1, 0.5]) / 10.5


def test_priors_are_uniform_and_the_tag_frequency_without_a_zero():
    priors = d.make_log_priors(TRAIN)
    assert np.exp(priors["uniform"]) == pytest.approx([0.25] * 4)
    assert np.exp(priors["train"]) == pytest.approx(TRAIN_PRIOR)


@pytest.mark.parametrize(
    ("prior", "p"),
    [
        # (count + 1 · 4 · prior) / (4 + 1 · 4) with the counts 2, 1, 0, 1 and alpha 1.
        ("uniform", [3 / 8, 2 / 8, 1 / 8, 2 / 8]),
        ("train", (np.array([2, 1, 0, 1]) + 4 * TRAIN_PRIOR) / 8),
    ],
)
def test_draws_are_smoothed_by_alpha_imagined_draws_a_word(prior, p):
    (base,), mixes = d.draw_grid(4, d.make_log_priors(TRAIN))
    mix = mix_of(mixes, alpha=1.0, prior=prior)
    found = d.mixed(
        base.log_p(photos([[1, 0, 0, 0]], [[0, 3, 0, 1]]), slice(0, 1)), mix.log_prior, mix.weight
    )
    assert np.exp(found) == pytest.approx(np.array([p]))


def test_only_the_first_draws_count_where_fewer_are_asked_for():
    (base,), _ = d.draw_grid(2, d.make_log_priors(TRAIN))
    log_p = base.log_p(photos([[1, 0, 0, 0]], [[0, 1, 3, 3, 3]]), slice(0, 1))
    assert np.exp(log_p) == pytest.approx(np.array([[0.5, 0.5, 0, 0]]))


def test_rival_is_a_softmax_with_a_temperature_and_some_prior():
    # Logits log(.1, .2, .3, .4); at temperature ½ the probabilities are squared: 1, 4, 9, 16 / 30.
    bases, mixes = d.baseline_grid(d.make_log_priors(TRAIN))
    one = photos([[1, 0, 0, 0]], probabilities=[[0.1, 0.2, 0.3, 0.4]])
    by_temperature = {base.params["temperature"]: base.log_p(one, slice(0, 1)) for base in bases}
    assert np.exp(by_temperature[1.0]) == pytest.approx(np.array([[0.1, 0.2, 0.3, 0.4]]))
    half = by_temperature[0.5]
    assert np.exp(half) == pytest.approx(np.array([[1, 4, 9, 16]]) / 30)
    mix = mix_of(mixes, epsilon=0.3, prior="uniform")
    assert np.exp(d.mixed(half, mix.log_prior, mix.weight)) == pytest.approx(
        np.array([[1, 4, 9, 16]]) / 30 * 0.7 + 0.3 / 4
    )
    none = mix_of(mixes, epsilon=0.0, prior="none")
    assert d.mixed(half, none.log_prior, none.weight) == pytest.approx(half)


def test_rival_with_far_logits_stays_finite():
    bases, _ = d.baseline_grid(d.make_log_priors(TRAIN))
    logits = np.array([[0.0, 900, 0, 0]])
    one = Photos(csr([[1, 0, 0, 0]]), np.zeros((1, 1), int), logits.__getitem__)
    assert bases[0].log_p(one, slice(0, 1))[0, 0] == pytest.approx(-900 / 0.03)


def test_cross_entropy_is_the_mean_over_the_tags_of_each_image():
    # Image 0 carries words 0 and 2 with p ½ and ⅛, image 1 word 1 with p ¼.
    tags = csr([[1, 0, 1, 0], [0, 1, 0, 0]])
    p = np.array([[1 / 2, 1 / 4, 1 / 8, 1 / 8], [1 / 2, 1 / 4, 1 / 8, 1 / 8]])
    found = d.cross_entropies(d.log_p_at_tags(lambda block: np.log(p[block]), tags), tags)
    assert found == pytest.approx([(log(2) + log(8)) / 2, log(4)])


@pytest.mark.parametrize("block", [1, 2, 3, 256])
def test_blocks_make_no_difference(monkeypatch, block):
    monkeypatch.setattr(d, "BLOCK", block)
    tags = csr([[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1], [1, 1, 1, 1], [0, 0, 1, 0]])
    p = np.random.default_rng(0).dirichlet(np.ones(4), 5)
    found = d.cross_entropies(d.log_p_at_tags(lambda rows: np.log(p[rows]), tags), tags)
    q = tags.toarray() / tags.toarray().sum(axis=1, keepdims=True)
    assert found == pytest.approx(-(q * np.log(p)).sum(axis=1))
    assert sum(line["n"] for line in d.reliability(lambda rows: np.log(p[rows]), tags)) == 20


def test_choice_trusts_draws_that_are_right_and_no_others():
    grid = d.draw_grid(4, d.make_log_priors(TRAIN))
    right = photos([[0, 0, 0, 1]] * 3, [[3, 3, 3, 3]] * 3)
    assert d.choose(*grid, right).params == {"alpha": d.ALPHAS[0], "prior": "uniform"}
    wrong = photos([[1, 0, 0, 0]] * 3, [[3, 3, 3, 3]] * 3)
    assert d.choose(*grid, wrong).params == {"alpha": d.ALPHAS[-1], "prior": "train"}


def test_choice_takes_the_lowest_cross_entropy_and_the_first_of_equal_ones():
    # Half of the images carry the word that is drawn, half the other one: λ / 2 on the second
    # word and 1 - λ / 2 on the first are best at λ = 1, the most that the grid has.
    dev = photos([[1, 0], [0, 1]], [[0], [0]])
    priors = d.make_log_priors(csr([[1, 1]]))  # both priors are the same
    chosen = d.choose(*d.draw_grid(1, priors), dev)
    assert chosen.params == {"alpha": d.ALPHAS[-1], "prior": "uniform"}
    assert chosen.n_tried == 2 * len(d.ALPHAS)
    weight = 2000 / 2001
    assert chosen.dev_cross_entropy == pytest.approx(-(log(1 - weight / 2) + log(weight / 2)) / 2)


def test_choice_of_the_temperature_finds_that_of_the_truth():
    # 1, 4, 9 and 16 of thirty photos carry the words; the logits are those of 1, 2, 3 and 4.
    words = np.repeat(np.arange(4), [1, 4, 9, 16])
    dev = photos(np.eye(4)[words], probabilities=np.tile([0.1, 0.2, 0.3, 0.4], (30, 1)))
    chosen = d.choose(*d.baseline_grid(d.make_log_priors(TRAIN)), dev)
    assert chosen.params == {"temperature": 0.5, "epsilon": 0.0, "prior": "none"}


def test_reliability_bins_pairs_by_their_probability():
    # p .4 and .5 in [.316, 1], .06 and .04 in [.0316, .1]; of the first two words only one is
    # right, and has q ½; of the last two one, with q ½.
    table = d.reliability(
        lambda block: np.log(np.array([[0.4, 0.5, 0.06, 0.04]])), csr([[1, 0, 0, 1]])
    )
    assert [line["n"] for line in table] == [2, 2]
    assert [line["predicted"] for line in table] == pytest.approx([0.05, 0.45])
    assert [line["observed"] for line in table] == pytest.approx([0.25, 0.25])
    assert [line["low"] for line in table] == pytest.approx([10**-1.5, 10**-0.5])
    assert [line["high"] for line in table] == pytest.approx([0.1, 1.0])


def test_reliability_keeps_what_is_below_and_at_the_ends():
    p = np.array([[0.0, 1e-9, 1.0]])
    with np.errstate(divide="ignore"):
        table = d.reliability(lambda block: np.log(p), csr([[0, 0, 1]]))
    assert [(line["low"], line["high"], line["n"]) for line in table] == [
        (0.0, pytest.approx(1e-6), 2),
        (pytest.approx(10**-0.5), 1.0, 1),
    ]
    assert table[1]["observed"] == 1


def drawn_from_a_truth(n_images: int, n_draws: int, seed: int) -> Photos:
    """Photos with one tag of one of two known distributions, draws from it, and its logits."""
    rng = np.random.default_rng(seed)
    truth = np.array([[0.6, 0.3, 0.08, 0.02], [0.02, 0.08, 0.3, 0.6]])[np.arange(n_images) % 2]
    words = (rng.random((n_images, n_draws + 1, 1)) > truth.cumsum(axis=1)[:, None]).sum(axis=2)
    return photos(np.eye(4)[words[:, 0]], words[:, 1:], truth)


def test_draws_from_the_truth_are_as_good_as_the_truth():
    dev, evaluated = drawn_from_a_truth(500, 2000, 1), drawn_from_a_truth(2000, 2000, 2)
    found = d.distribution(dev, evaluated, TRAIN, seed=0)
    entropy = -sum(p * log(p) for p in (0.6, 0.3, 0.08, 0.02))
    cgan, rival = found["systems"]["cgan"], found["systems"]["mlp"]
    assert cgan["cross_entropy"]["value"] == pytest.approx(entropy, abs=0.05)
    assert rival["chosen"]["temperature"] == 1.0
    assert abs(found["difference"]["value"]) < 0.01
    for line in cgan["reliability"]:
        assert line["observed"] == pytest.approx(line["predicted"], abs=0.03)
    # Fewer draws say less; those who look at no photo say least.
    values = [line["cross_entropy"]["value"] for line in found["by_draws"]]
    assert [line["n_draws"] for line in found["by_draws"]] == [100, 1000, 2000]
    assert values[0] > values[1] > values[2] - 1e-3
    assert found["systems"]["frequency"]["cross_entropy"]["low"] > values[0]


def test_difference_is_paired():
    # The rival gives each tag half of what the draws give it: the difference is log ½ throughout,
    # though the images differ from each other.
    n = 20
    tags = np.eye(3)[[i % 2 for i in range(n)]]
    draws = [[0, 0, 0, 1]] * n  # shares ¾ and ¼
    evaluated = photos(tags, draws, [[3 / 8, 1 / 8, 1 / 2]] * n)
    shares = np.log([[3 / 4, 1 / 4, 1e-300]] * n)
    alone = fixed(d.Base({}, lambda photos, block: shares[block]), np.zeros(3), 0.0)
    rival = fixed(d._softmax(1.0), np.zeros(3), 0.0)
    ours, theirs = (d.image_cross_entropies(chosen, evaluated) for chosen in (alone, rival))
    assert ours - theirs == pytest.approx(np.full(n, -log(2)))
    assert ours.std() > 0.1


def test_distribution_holds_what_the_report_shows(monkeypatch):
    monkeypatch.setattr(d, "NUMBERS_OF_DRAWS", (1, 3, 8))
    dev = photos([[1, 0, 0, 0], [0, 1, 0, 0]], [[0, 0, 1, 2]] * 2)
    evaluated = photos([[1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]], [[0, 1, 1, 3]] * 3)
    found = d.distribution(dev, evaluated, TRAIN, seed=3, name="mine", baseline="other")
    assert list(found["systems"]) == ["mine", "other", "frequency"]
    assert found["n_images"] == 2  # the image without a tag is left out
    assert [line["n_draws"] for line in found["by_draws"]] == [1, 3, 4]
    assert found["by_draws"][-1]["cross_entropy"] == found["systems"]["mine"]["cross_entropy"]
    assert found["systems"]["mine"]["n_draws"] == 4
    assert (found["difference"]["name"], found["difference"]["against"]) == ("mine", "other")
    # q has the entropies log 2 and log 1.
    assert found["target_entropy"]["value"] == pytest.approx(log(2) / 2)
    # Without a photo: word 0, 1 and 3 have 6, 3 and ½ of 10½.
    frequency = (-(log(6 / 10.5) + log(0.5 / 10.5)) / 2 - log(3 / 10.5)) / 2
    assert found["systems"]["frequency"]["cross_entropy"]["value"] == pytest.approx(frequency)
    assert found["systems"]["frequency"]["chosen"] == {}
    # The rival's logits are even, so all it can do is to mix in the tag frequency.
    assert found["systems"]["other"]["chosen"]["prior"] == "train"
    values = [found["systems"][name]["cross_entropy"]["value"] for name in ("mine", "other")]
    assert found["difference"]["value"] == pytest.approx(values[0] - values[1])
    again = d.distribution(dev, evaluated, TRAIN, seed=3, name="mine", baseline="other")
    assert again == found


def test_distribution_uses_the_draws_that_dev_has_too():
    dev, evaluated = photos([[1, 0]], [[0, 0]]), photos([[1, 0]], [[0, 0, 1, 1]])
    found = d.distribution(dev, evaluated, csr([[1, 1]]), seed=0)
    assert [line["n_draws"] for line in found["by_draws"]] == [2]


def test_distribution_is_none_without_tags_or_draws():
    some, none = photos([[1, 0]], [[0]]), photos([[0, 0]], [[0]])
    train = csr([[1, 1]])
    assert d.distribution(none, some, train, seed=0) is None
    assert d.distribution(some, none, train, seed=0) is None
    undrawn = photos([[1, 0]], np.zeros((1, 0), int))
    assert d.distribution(some, undrawn, train, seed=0) is None


def test_photos_in_blocks_of_few_cells_have_the_same_figures(monkeypatch):
    random = np.random.default_rng(3)
    tags = (random.random((40, 4)) < 0.5).astype(np.float32)
    tags[:, 0] = 1
    parts = photos(tags, random.integers(0, 4, (40, 20)), random.random((40, 4)) + 0.1)
    whole = d.distribution(parts, parts, TRAIN, 0)
    monkeypatch.setattr(d, "MAX_CELLS", 3 * 4)
    assert [block.stop - block.start for block in d.blocks(8, 4)] == [3, 3, 2]
    for name, system in d.distribution(parts, parts, TRAIN, 0)["systems"].items():
        wanted = whole["systems"][name]
        assert system["chosen"] == wanted["chosen"]
        assert system["cross_entropy"] == pytest.approx(wanted["cross_entropy"])
        assert [b["n"] for b in system["reliability"]] == [b["n"] for b in wanted["reliability"]]
