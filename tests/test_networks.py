import torch

from mmcgan.config import TrainConfig
from mmcgan.networks import Maxout, build_networks


def n_parameters(network):
    return sum(p.numel() for p in network.parameters())


def test_generator_has_the_papers_size():
    # arXiv 1411.1784, section 4.2: noise 100 → 500, image 4096 → 2000, both → 200.
    generator, _ = build_networks(4096, 200, TrainConfig())
    noise, image = 100 * 500 + 500, 4096 * 2000 + 2000
    assert n_parameters(generator) == noise + image + (2500 * 200 + 200)
    assert [tuple(p.shape) for p in generator.parameters()] == [
        (500, 100), (500,), (2000, 4096), (2000,), (200, 2500), (200,),
    ]  # fmt: skip


def test_discriminator_has_the_papers_size():
    # word 200 → 500, image 4096 → 1200, both → maxout 1000 × 3 → 1.
    _, discriminator = build_networks(4096, 200, TrainConfig())
    word, image = 200 * 500 + 500, 4096 * 1200 + 1200
    maxout, output = 1700 * 3000 + 3000, 1000 + 1
    assert n_parameters(discriminator) == word + image + maxout + output


def test_maxout_takes_the_largest_of_its_pieces():
    layer = Maxout(in_features=1, n_units=2, n_pieces=3)
    with torch.no_grad():
        layer.linear.weight.copy_(torch.tensor([[1.0], [-1.0], [0.0], [2.0], [3.0], [-4.0]]))
        layer.linear.bias.copy_(torch.tensor([0.0, 0.0, 0.5, 0.0, -2.0, 0.0]))
    # x = 1: unit 0 max(1, -1, .5), unit 1 max(2, 1, -4); x = -1: max(-1, 1, .5), max(-2, -5, 4)
    assert layer(torch.tensor([[1.0], [-1.0]])).tolist() == [[1.0, 2.0], [1.0, 4.0]]


def test_generator_sample_equals_forward_on_every_pair():
    generator, _ = build_networks(7, 5, TrainConfig(noise_units=11, image_units=13))
    generator.eval()
    noise, features = torch.randn(4, 100), torch.randn(3, 7)
    sampled = generator.sample(noise, features)
    assert sampled.shape == (3, 4, 5)
    for i in range(3):
        expected = generator(noise, features[i].expand(4, -1))
        assert torch.allclose(sampled[i], expected, atol=1e-6)


def test_generator_gives_every_image_the_same_cloud_shifted():
    # The literal generator joins noise and image in its linear output alone.
    generator, _ = build_networks(7, 5, TrainConfig())
    generator.eval()
    samples = generator.sample(torch.randn(6, 100), torch.randn(2, 7))
    shift = samples[1] - samples[0]
    assert torch.allclose(shift, shift[:1].expand_as(shift), atol=1e-6)


def test_discriminator_judges_one_logit_a_pair_and_needs_both_inputs():
    _, discriminator = build_networks(7, 5, TrainConfig())
    discriminator.eval()
    words, images = torch.randn(4, 5), torch.randn(4, 7)
    logits = discriminator(words, images)
    assert logits.shape == (4,)
    assert not torch.equal(logits, discriminator(words.flip(0), images))
    assert not torch.equal(logits, discriminator(words, images.flip(0)))


def test_networks_drop_out_half_while_training_only():
    generator, _ = build_networks(7, 5, TrainConfig())
    noise, images = torch.randn(2, 100), torch.randn(2, 7)
    generator.train()
    assert not torch.equal(generator(noise, images), generator(noise, images))
    generator.eval()
    assert torch.equal(generator(noise, images), generator(noise, images))
    assert generator.dropout.p == 0.5


def test_first_weights_come_from_the_seed_and_stay_in_their_range():
    torch.manual_seed(1)
    first = build_networks(7, 5, TrainConfig(seed=3))
    torch.manual_seed(2)
    again = build_networks(7, 5, TrainConfig(seed=3))
    other = build_networks(7, 5, TrainConfig(seed=4))
    for a, b, c, limit in zip(first, again, other, (0.05, 0.005), strict=True):
        weights = [p for p in a.parameters() if p.ndim == 2]
        assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
        assert not torch.equal(next(a.parameters()), next(c.parameters()))
        assert max(float(p.abs().max()) for p in weights) <= limit
        assert max(float(p.abs().max()) for p in weights) > 0.9 * limit
