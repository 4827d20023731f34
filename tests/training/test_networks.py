"""Sizes and shapes of both generators and the discriminator; the word table."""

import pytest
import torch

from mmcgan.training.config import GeneratorOptions, TrainConfig
from mmcgan.training.networks import (
    Generator,
    MixtureGenerator,
    build_generator,
    build_networks,
)

N_WORDS = 6
MIXTURE = TrainConfig.of(
    "modern",
    noise_size=9,
    noise_units=11,
    image_units=13,
    members=3,
    draws=6,
    d_word_units=5,
    d_image_units=6,
    maxout_units=4,
)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def build(feature_size, vector_size, config):
    vectors = torch.randn(N_WORDS, vector_size, generator=torch.Generator().manual_seed(0))
    frequency = torch.full((N_WORDS,), 0.25)
    return build_networks(feature_size, vectors, frequency, vector_size, config)


def make_mixture(seed=0, **settings):
    """A mixture with 5 components a word, without dropout, whose noise reaches far."""
    config = TrainConfig.from_options(
        **{
            "generator": "mixture",
            "members": 3,
            "draws": 6,
            "noise_size": 9,
            "noise_units": 11,
            "image_units": 13,
            "generator_init": 0.5,
            **settings,
        }
    )
    generator = build_generator(7, 5, config.generator)
    torch.manual_seed(seed)
    return generator.eval().requires_grad_(False)


def n_parameters(network):
    return sum(p.numel() for p in network.parameters())


# The paper's networks.


def test_generator_has_the_papers_size():
    # arXiv 1411.1784, section 4.2: noise 100 → 500, image 4096 → 2000, both → 200.
    generator, _, _ = build(4096, 200, TrainConfig())
    noise, image = 100 * 500 + 500, 4096 * 2000 + 2000
    assert n_parameters(generator) == noise + image + (2500 * 200 + 200)
    assert [tuple(p.shape) for p in generator.parameters()] == [
        (500, 100),
        (500,),
        (2000, 4096),
        (2000,),
        (200, 2500),
        (200,),
    ]


@pytest.mark.parametrize("joint_units", [0, 6])
@pytest.mark.parametrize("squash", [None, torch.nn.Sigmoid()])
def test_sample_is_forward_on_every_pair_with_a_hidden_join_and_a_squashed_output(
    joint_units, squash
):
    units = {"noise_units": 5, "condition_units": 8, "joint_units": joint_units}
    generator = Generator(3, 7, 4, **units, squash=squash, dropout=0.5).eval()
    noise, condition = torch.randn(1, 6, 3), torch.randn(2, 7)
    expected = generator(noise.expand(2, -1, -1), condition)
    assert torch.allclose(generator.sample(noise, condition), expected, atol=1e-6)


def test_discriminator_has_the_papers_size():
    # word 200 → 500, image 4096 → 1200, both → maxout 1000 × 3 → 1.
    _, _, discriminator = build(4096, 200, TrainConfig())
    word, image = 200 * 500 + 500, 4096 * 1200 + 1200
    maxout, output = 1700 * 3000 + 3000, 1000 + 1
    assert n_parameters(discriminator) == word + image + maxout + output


def test_generator_sample_equals_forward_on_every_pair():
    generator, _, _ = build(7, 5, TrainConfig.from_options(noise_units=11, image_units=13))
    generator.eval()
    noise, features = torch.randn(1, 4, 100), torch.randn(3, 7)
    sampled = generator.sample(noise, features)
    assert sampled.shape == (3, 4, 5)
    for i in range(3):
        for s in range(4):
            expected = generator(noise[:, s : s + 1], features[i : i + 1])
            assert torch.allclose(sampled[i, s], expected[0, 0], atol=1e-6)


def test_generator_gives_each_image_the_draws_of_its_own_noise():
    generator, _, _ = build(7, 5, TrainConfig.from_options(noise_units=11, image_units=13))
    generator.eval()
    noise, features = torch.randn(3, 4, 100), torch.randn(3, 7)
    vectors = generator(noise, features)
    assert vectors.shape == (3, 4, 5)
    for i in range(3):
        expected = generator.sample(noise[i : i + 1], features[i : i + 1])
        assert torch.allclose(vectors[i], expected[0], atol=1e-6)


def test_generator_gives_every_image_the_same_cloud_shifted():
    # The literal generator joins noise and image in its linear output alone.
    generator, _, _ = build(7, 5, TrainConfig())
    generator.eval()
    samples = generator.sample(torch.randn(1, 6, 100), torch.randn(2, 7))
    shift = samples[1] - samples[0]
    assert torch.allclose(shift, shift[:1].expand_as(shift), atol=1e-6)


def test_generator_noise_is_gaussian_and_from_its_source():
    generator, _, _ = build(7, 5, TrainConfig())
    noise = generator.noise(20, 30, torch.Generator().manual_seed(2))
    assert noise.shape == (20, 30, 100)
    assert float(noise.mean()) == pytest.approx(0, abs=0.02)  # 60,000 numbers: 5 deviations
    assert float(noise.std()) == pytest.approx(1, abs=0.02)
    assert torch.equal(noise, generator.noise(20, 30, torch.Generator().manual_seed(2)))


def test_discriminator_judges_one_logit_a_pair_and_needs_both_inputs():
    _, _, discriminator = build(7, 5, TrainConfig())
    discriminator.eval()
    words, images = torch.randn(4, 3, 5), torch.randn(4, 7)
    logits = discriminator(words, images)
    assert logits.shape == (4, 3)
    assert not torch.equal(logits, discriminator(words.flip(0), images))
    assert not torch.equal(logits, discriminator(words, images.flip(0)))


def test_discriminator_judges_each_vector_on_its_own():
    config = TrainConfig.from_options(
        d_word_units=5, d_image_units=6, maxout_units=4, discriminator_init=0.3
    )
    _, _, discriminator = build(7, 5, config)
    discriminator.eval()
    words, images = torch.randn(4, 3, 5), torch.randn(4, 7)
    logits = discriminator(words, images)
    for i in range(4):
        for s in range(3):
            alone = discriminator(words[i : i + 1, s : s + 1], images[i : i + 1])
            assert torch.allclose(logits[i, s], alone[0, 0], atol=1e-5)
    hidden = discriminator.embed_condition(images)
    assert torch.equal(discriminator.discriminate(words, hidden), logits)


def test_networks_drop_out_half_while_training_only():
    generator, _, discriminator = build(7, 5, TrainConfig())
    noise, images, words = torch.randn(2, 1, 100), torch.randn(2, 7), torch.randn(2, 1, 5)
    for network, inputs in ((generator, (noise, images)), (discriminator, (words, images))):
        network.train()
        assert not torch.equal(network(*inputs), network(*inputs))
        network.eval()
        assert torch.equal(network(*inputs), network(*inputs))
        assert network.dropout.p == 0.5


def test_each_network_has_a_dropout_of_its_own():
    generator, _, discriminator = build(7, 5, TrainConfig.from_options(dropout=0.0, d_dropout=0.25))
    assert (generator.dropout.p, discriminator.dropout.p) == (0.0, 0.25)
    mixture = make_mixture(input_dropout=0.1, input_dropout_spread=0.0, dropout=0.2)
    assert [(m.input_dropout.p, m.dropout.p) for m in mixture.members] == [(0.1, 0.2)] * 3


@pytest.mark.parametrize(
    ("members", "most", "spread", "dropouts"),
    [(3, 0.8, 0.4, [0.4, 0.6, 0.8]), (3, 0.25, 0.5, [0, 0.125, 0.25]), (1, 0.8, 0.4, [0.8])],
)
def test_dropout_of_the_features_rises_from_member_to_member(members, most, spread, dropouts):
    options = MIXTURE.with_options(
        members=members, input_dropout=most, input_dropout_spread=spread
    ).generator
    built = build_generator(7, 5, options)
    assert [member.input_dropout.p for member in built.members] == pytest.approx(dropouts)


def test_first_weights_come_from_the_seed_and_stay_in_their_range():
    torch.manual_seed(1)
    first = build(7, 5, TrainConfig.from_options(seed=3))
    torch.manual_seed(2)
    again = build(7, 5, TrainConfig.from_options(seed=3))
    other = build(7, 5, TrainConfig.from_options(seed=4))
    for k, limit in ((0, 0.05), (2, 0.005)):
        a, b, c = first[k], again[k], other[k]
        weights = [p.detach() for p in a.parameters() if p.ndim == 2]
        assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
        assert not torch.equal(next(a.parameters()), next(c.parameters()))
        assert max(float(p.abs().max()) for p in weights) <= limit
        assert max(float(p.abs().max()) for p in weights) > 0.9 * limit


def test_first_weights_of_a_mixture_stay_in_their_range_too():
    generator, _, _ = build(7, 5, MIXTURE.with_options(generator_init=0.05))
    for name, parameter in generator.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any(), name
        else:
            assert 0.03 < float(parameter.detach().abs().max()) <= 0.05, name


def test_mixture_aims_at_words_as_given_where_it_learns_none():
    generator, words, _ = build(7, 5, MIXTURE.with_options(retrieval=0.0, judged="words"))
    assert words.vectors.shape == (1, N_WORDS, 5)
    assert generator(generator.noise(4, 6), torch.randn(4, 7)).shape == (4, 6, 5)


def test_building_networks_leaves_the_random_state_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    build(7, 5, MIXTURE)
    assert torch.equal(torch.rand(1), expected)


def test_first_weights_without_a_limit_go_by_the_size_of_the_layer():
    generator, _, discriminator = build(400, 5, TrainConfig.of("modern"))
    # torch's own: even in ±1 / √inputs.
    trunk, image = generator.members[0].trunk.weight, discriminator.condition_layer[0].weight
    for weight in (trunk, image):
        assert float(weight.detach().abs().max()) == pytest.approx(1 / 400**0.5, rel=0.01)
    assert generator.members[0].trunk.bias.any()


# The mixture.


def test_build_generator_takes_the_one_that_is_named():
    assert isinstance(build_generator(7, 5, GeneratorOptions()), Generator)
    mixture = build_generator(7, 5, MIXTURE.generator)
    assert isinstance(mixture, MixtureGenerator)
    assert (mixture.n_generators, len(mixture.members)) == (3, 3)


def test_mixture_and_discriminator_have_the_sizes_of_their_vectors():
    # A member draws among its 13 hidden units; the discriminator sees the 5 components of the data.
    generator, words, discriminator = build(7, 5, MIXTURE)
    assert words.vectors.shape == (3, N_WORDS, 13)
    assert generator(generator.noise(4, 6), torch.randn(4, 7)).shape == (4, 6, 13)
    assert discriminator(torch.randn(4, 3, 5), torch.randn(4, 7)).shape == (4, 3)
    # a member: trunk 7 → 13, gate 13 → 11; shared: noise 9 → 11 → 13
    member = 7 * 13 + 13 + 13 * 11 + 11
    shared = 9 * 11 + 11 * 13
    assert n_parameters(generator) == 3 * member + shared
    # for tagging, or with words as given, an output 13 → 5 as well
    assert n_parameters(build_generator(7, 5, MIXTURE.generator)) == 3 * (member + 13 * 5) + shared


def test_mixture_equals_its_formula_draw_by_draw():
    """(location_k(x) + ((z · noise) ∘ softplus(gate_k(x))) · reach) · output_k, S/K draws each."""
    generator = make_mixture()
    noise, features = generator.noise(4, 6), torch.randn(4, 7)
    samples = generator(noise, features)
    for i in range(4):
        for s in range(6):
            member = generator.members[s // 2]
            hidden = (features[i] @ member.trunk.weight.T + member.trunk.bias).clamp(min=0)
            gate = torch.log1p(torch.exp(hidden @ member.gate.weight.T + member.gate.bias))
            reach = ((noise[i, s] @ generator.noise_layer.weight.T) * gate) @ (
                generator.reach.weight.T
            )
            expected = (hidden + reach) @ member.output.weight.T
            assert torch.allclose(samples[i, s], expected, atol=1e-5)


def test_mixture_that_learns_its_words_draws_among_its_hidden_units():
    generator = build(7, 5, MIXTURE.with_options(dropout=0.0, input_dropout=0.0))[0].eval()
    features = torch.randn(4, 7)
    centre = generator(torch.zeros(4, 3, 9), features)
    for k, member in enumerate(generator.members):
        hidden = (features @ member.trunk.weight.T + member.trunk.bias).clamp(min=0)
        assert torch.allclose(centre[:, k], hidden, atol=1e-6)


@pytest.mark.parametrize("n_draws", [6, 30, 300])
def test_mean_of_a_members_paired_draws_is_its_location(n_draws):
    generator, features = make_mixture(), torch.randn(4, 7)
    samples = generator(generator.noise(4, n_draws), features).unflatten(1, (3, -1))
    away = (samples - generator.centres(features).unsqueeze(2)).detach().norm(dim=-1)
    assert float(away.min()) > 0.01  # no draw is the location itself, their mean is
    assert torch.allclose(samples.mean(dim=2), generator.centres(features), atol=1e-5)


@pytest.mark.parametrize("n_draws", [3, 9, 33])
def test_odd_draws_of_a_member_have_one_at_its_location(n_draws):
    generator, features = make_mixture(), torch.randn(4, 7)
    noise = generator.noise(4, n_draws)
    samples = generator(noise, features).unflatten(1, (3, -1))
    assert torch.allclose(samples[:, :, -1], generator.centres(features), atol=1e-6)
    assert torch.allclose(samples.mean(dim=2), generator.centres(features), atol=1e-5)
    assert not noise.unflatten(1, (3, -1))[:, :, -1].any()


def test_noise_of_a_mixture_comes_in_pairs_within_each_members_draws():
    noise = make_mixture().noise(5, 12, torch.Generator().manual_seed(1))
    assert noise.shape == (5, 12, 9)
    first, second = noise.unflatten(1, (3, 4)).chunk(2, dim=2)
    assert torch.equal(first, -second)
    assert len(torch.unique(first.flatten())) == first.numel()  # no other two are the same
    # 270 numbers: half a deviation is eight of their mean's
    assert float(first.mean()) == pytest.approx(0, abs=0.5)
    assert float(first.std()) == pytest.approx(1, abs=0.3)


def test_noise_of_a_mixture_comes_from_its_source():
    generator = make_mixture()
    noise = [generator.noise(2, 6, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)]
    assert torch.equal(noise[0], noise[1])
    assert not torch.equal(noise[0], noise[2])


@pytest.mark.parametrize(("asked", "made"), [(12, 12), (13, 12), (14, 12), (5, 3), (100, 99)])
def test_mixture_makes_as_many_draws_as_are_a_multiple_of_its_members(asked, made):
    generator = make_mixture()
    noise = generator.noise(2, asked)
    assert noise.shape == (2, made, 9)
    assert generator(noise, torch.randn(2, 7)).shape == (2, made, 5)


@pytest.mark.parametrize("scale", [0.0, 0.5, 4.0])
def test_noise_scale_multiplies_the_distances_from_the_location(scale):
    generator, features = make_mixture(), torch.randn(4, 7)
    noise, centres = generator.noise(4, 12), generator.centres(features).unsqueeze(2)
    before = generator(noise, features).unflatten(1, (3, 4)) - centres
    generator.noise_scale = scale
    after = generator(noise, features).unflatten(1, (3, 4)) - centres
    assert torch.allclose(after, scale * before, atol=1e-5)
    assert float(before.abs().max()) > 0.1


def test_noise_scale_is_none_of_the_weights():
    generator = make_mixture()
    assert generator.noise_scale == 1
    assert generator.state_dict().keys() == dict(generator.named_parameters()).keys()


def test_mixture_sample_equals_forward_with_the_same_noise_for_all():
    generator = make_mixture()
    noise, features = generator.noise(1, 12), torch.randn(3, 7)
    sampled = generator.sample(noise, features)
    assert sampled.shape == (3, 12, 5)
    expected = generator(noise.expand(3, -1, -1), features)
    assert torch.allclose(sampled, expected, atol=1e-6)
    alone = generator.sample(noise, features[1:2])
    assert torch.allclose(sampled[1], alone[0], atol=1e-6)


def test_mixture_gives_images_clouds_of_different_shapes():
    # Unlike the literal generator: the gate depends on the image.
    generator = make_mixture()
    samples = generator.sample(generator.noise(1, 12), torch.randn(2, 7))
    shift = (samples[1] - samples[0]).unflatten(0, (3, 4))
    assert float((shift - shift[:, :1]).abs().max()) > 0.01


def test_spread_of_a_draw_does_not_shape_what_is_known_of_the_image():
    generator, features = make_mixture(dropout=0.0), torch.randn(4, 7)
    generator.train().requires_grad_()
    draws = generator(generator.noise(4, 6), features)
    spread = (draws[:, ::2] - draws[:, 1::2]).square().sum()  # of pairs: locations cancel
    names, parameters = zip(*generator.named_parameters(), strict=True)
    gradients = dict(zip(names, torch.autograd.grad(spread, parameters), strict=True))
    for name, gradient in gradients.items():
        if ".output" in name:  # what a draw is made of, it carries the location and the noise
            continue
        if any(part in name for part in ("gate", "noise_layer", "reach")):
            assert float(gradient.abs().max()) > 1e-4, name
        else:
            assert float(gradient.abs().max()) < 1e-4, name


# The words.


def test_words_of_the_paper_are_as_they_were_given_and_stay():
    _, words, _ = build(7, 5, TrainConfig())
    assert words.vectors.shape == (1, N_WORDS, 5)
    assert not words.bias.any()
    assert not any(p.requires_grad for p in words.parameters())


@pytest.mark.parametrize("config", [MIXTURE, TrainConfig.from_options(retrieval=1.0)])
def test_words_that_are_learnt_start_from_their_frequency(config):
    frequency = torch.tensor([0.5, 0.1, 0.2, 0.9, 0.25, 0.01])
    _, words, _ = build_networks(7, torch.randn(N_WORDS, 5), frequency, 5, config)
    assert torch.allclose(torch.sigmoid(words.bias), frequency)
    assert all(p.requires_grad for p in words.parameters())


def test_linear_generator_learns_words_that_start_from_the_given_ones():
    given = torch.randn(N_WORDS, 5)
    config = TrainConfig.from_options(retrieval=1.0)
    _, words, _ = build_networks(7, given, torch.full((N_WORDS,), 0.25), 5, config)
    assert torch.equal(words.vectors.detach(), given.unsqueeze(0))


def test_members_start_with_words_of_their_own_as_wide_as_a_linear_layers_weights():
    words = build(7, 5, MIXTURE)[1].vectors.detach()
    assert 0.9 / 13**0.5 < float(words.abs().max()) <= 1 / 13**0.5
    assert len(torch.unique(words)) == words.numel()


def test_logits_of_words_are_inner_products_and_bias():
    """Of each member's draws with the vectors that are its own."""
    words = build(7, 5, MIXTURE)[1].requires_grad_(False)
    vectors = torch.randn(2, 6, 13)
    logits = words(vectors)
    for b in range(2):
        for s in range(6):
            for v in range(N_WORDS):
                expected = float(vectors[b, s] @ words.vectors[s // 2, v] + words.bias[v])
                assert float(logits[b, s, v]) == pytest.approx(expected, abs=1e-5)


def test_logits_of_some_words_are_those_columns_of_all():
    words = build(7, 5, MIXTURE)[1]
    vectors = torch.randn(2, 3, 13)
    for columns in ([4, 0], [2], [5, 4, 3, 2, 1]):
        chosen = torch.tensor(columns)
        assert torch.allclose(words(vectors, chosen), words(vectors)[..., chosen], atol=1e-6)
    # All columns in their order, which is what a small vocabulary asks for.
    assert torch.equal(words(vectors, torch.arange(N_WORDS)), words(vectors))


@pytest.mark.parametrize("columns", [None, torch.tensor([1, 3])])
def test_frozen_words_get_no_gradient_and_the_draws_do(columns):
    words = build(7, 5, MIXTURE)[1]
    vectors = torch.randn(2, 3, 13, requires_grad=True)
    words(vectors, columns, frozen=True).sum().backward()
    assert words.vectors.grad is None
    assert words.bias.grad is None
    assert vectors.grad.abs().max() > 0
    words(vectors, columns).sum().backward()
    touched = words.bias.grad.nonzero().flatten().tolist()
    assert touched == (list(range(N_WORDS)) if columns is None else [1, 3])
