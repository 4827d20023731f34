"""The losses, one formula a function, on the discriminator's logits.

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


GENERATOR_LOSSES = {
    "saturating": saturating_generator_loss,
    "non-saturating": non_saturating_generator_loss,
}


def retrieval_loss(logits: Tensor, tags: Tensor, weights: Tensor) -> Tensor:
    """-log P(tags), every word on its own, a tag: binary cross-entropy over all V words.

    `logits` (B, K, V) are those of each member's mean draw, `tags` (B, V) 0/1; `weights` (V,) say
    for how many words each column stands. The sum over words is divided by the mean number of
    tags, so that it does not grow with either.
    """
    expanded = tags.unsqueeze(1).expand_as(logits)
    loss = binary_cross_entropy_with_logits(logits, expanded, weights, reduction="sum")
    return loss / (logits.shape[1] * tags.sum().clamp(min=1))


def draw_likelihood(logits: Tensor, tags: Tensor) -> Tensor:
    """-Σ_w q(w|x) log p(w|x) with q = 1/|tags| on the tags and p the mean of the draws' softmax.

    `logits` (B, S, V) are those of single draws. The mean is taken inside the logarithm, so that
    the draws do best by sharing the tags among them: the bound of Burda et al. 2016 (IWAE,
    equation 8) with the draws as importance samples of equal weight.
    """
    target = tags / tags.sum(dim=1, keepdim=True).clamp(min=1)
    log_p = torch.logsumexp(log_softmax(logits, dim=-1), dim=1) - math.log(logits.shape[1])
    return -(target * log_p).sum() / len(tags)


def gradient_penalty(logits: Tensor, real: Tensor) -> Tensor:
    """E |∇ D(real)|²: keeps D smooth at real examples (Mescheder et al. 2018, equation 9, R1)."""
    (gradient,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
    return gradient.square().sum(dim=-1).mean()
