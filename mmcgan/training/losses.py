"""The losses, one formula a function, on the discriminator's logits.

The terms that the two networks lower are put together of them in `mmcgan.training.terms`.
With D = sigmoid(logit): log D = -softplus(-logit) and log(1 - D) = -softplus(logit).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, log_softmax, softplus


def real_loss(real_logits: Tensor) -> Tensor:
    """-E log D(x|y): the discriminator's loss on real words."""
    return softplus(-real_logits).mean()


def fake_loss(fake_logits: Tensor) -> Tensor:
    """-E log(1 - D(G(z|y))): the discriminator's loss on generated words."""
    return softplus(fake_logits).mean()


def value_function(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """V(D, G) = E log D(x|y) + E log(1 - D(G(z|y))): arXiv 1411.1784, equation 2."""
    return -(real_loss(real_logits) + fake_loss(fake_logits))


def saturating_generator_loss(fake_logits: Tensor) -> Tensor:
    """E log(1 - D(G(z|y))): what G minimises in arXiv 1411.1784, equation 2."""
    return -fake_loss(fake_logits)


def non_saturating_generator_loss(fake_logits: Tensor) -> Tensor:
    """-E log D(G(z|y)): same fixed point, stronger gradients early (arXiv 1406.2661, sec. 3)."""
    return real_loss(fake_logits)


def retrieval_loss(
    logits: Tensor, tags: Tensor, weights: Tensor, n_tags: Tensor | None = None
) -> Tensor:
    """-log P(tags), every word on its own, a tag: binary cross-entropy over all V words.

    `logits` (B, K, V) are those of each generator's mean draw, `tags` (B, V) 0/1; `weights` (V,)
    say for how many words each column stands. The sum over words is divided by the mean number of
    tags, so that it does not grow with either; `n_tags` is their number in all, where `tags` are
    some rows of a larger batch's.
    """
    expanded = tags.unsqueeze(1).expand_as(logits)
    loss = binary_cross_entropy_with_logits(logits, expanded, weights, reduction="sum")
    n_tags = tags.sum() if n_tags is None else n_tags
    return loss / (logits.shape[1] * n_tags.clamp(min=1))


def draw_likelihood(logits: Tensor, tags: Tensor) -> Tensor:
    """-Σ_w q(w|x) log p(w|x) with q = 1/|tags| on the tags and p the mean of the draws' softmax.

    `logits` (B, S, V) are those of single draws. The mean is taken inside the logarithm, so that
    the draws do best by sharing the tags among them: the bound of Burda et al. 2016 (IWAE,
    equation 8) with the draws as importance samples of equal weight.
    """
    target = tags / tags.sum(dim=1, keepdim=True).clamp(min=1)
    log_p = torch.logsumexp(log_softmax(logits, dim=-1), dim=1) - math.log(logits.shape[1])
    return -(target * log_p).sum() / len(tags)


def sample_likelihood(samples: Tensor, real: Tensor, same: Tensor, width: float) -> Tensor:
    """-E log p(x), p the mean of Gaussians of `width` around the samples of x's own label.

    `samples` (S, E), `real` (B, E), `same` (B, S) says which have the label of which. As with
    `draw_likelihood` the mean is inside the logarithm: a real example asks for one sample near to
    it, not for all, so that modes are kept (Li & Malik 2018, implicit maximum likelihood). Divided
    by E, and without the constant of the Gaussian.
    """
    squares = torch.cdist(real, samples, compute_mode="use_mm_for_euclid_dist").square()
    exponents = (-squares / (2 * width**2)).masked_fill(~same, -math.inf)
    log_p = exponents.logsumexp(dim=1) - same.sum(dim=1).log()
    return -log_p.mean() / samples.shape[1]


def critic_real_loss(real_logits: Tensor) -> Tensor:
    """-E D(x): the critic's loss on real examples (Arjovsky et al. 2017, Wasserstein GAN)."""
    return -real_logits.mean()


def critic_fake_loss(fake_logits: Tensor) -> Tensor:
    """E D(G(z)): the critic's loss on generated ones; the negative of what G lowers."""
    return fake_logits.mean()


def relativistic_loss(winner: Tensor, loser: Tensor) -> Tensor:
    """E softplus(D(loser) - D(winner)): the logits of pairs compared (Jolicoeur-Martineau 2018).

    D wants real examples to win, G generated ones (Huang et al. 2024, R3GAN, section 2).
    """
    return softplus(loser - winner).mean()


def gradient_penalty(logits: Tensor, examples: Tensor) -> Tensor:
    """E |∇ D|² at `examples`: keeps D smooth there (Mescheder et al. 2018, equation 9, R1)."""
    return _squared_gradient(logits, examples).mean()


def lipschitz_penalty(logits: Tensor, between: Tensor) -> Tensor:
    """E (|∇ D| - 1)² at points between real and generated (Gulrajani et al. 2017, equation 3)."""
    # The root of 0 has no gradient.
    norm = (_squared_gradient(logits, between) + 1e-12).sqrt()
    return (norm - 1).square().mean()


def _squared_gradient(logits: Tensor, examples: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(logits.sum(), examples, create_graph=True)
    return gradient.square().sum(dim=-1)
