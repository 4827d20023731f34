"""The losses, one formula a function, on the discriminator's logits.

With D = sigmoid(logit): log D = -softplus(-logit) and log(1 - D) = -softplus(logit).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus


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


def gradient_share(terms: dict[str, Tensor], name: str, fake_vectors: Tensor) -> float | None:
    """Return how much of the gradient on the generated vectors comes from the term `name`.

    Its norm divided by the sum of the norms of all `terms`; None where no term has a gradient, as
    happens to the saturating loss when D is sure.
    """
    norms = {
        term: float(torch.autograd.grad(loss, fake_vectors, retain_graph=True)[0].norm())
        for term, loss in terms.items()
    }
    return norms[name] / total if (total := sum(norms.values())) > 0 else None
