"""What is learnt: the terms of the losses, a file each, and the list that the settings make."""

from __future__ import annotations

from typing import Any, TypeAlias

from mmcgan.training.config import TagObjectiveOptions
from mmcgan.training.terms.adversarial import TagAdversarial
from mmcgan.training.terms.likelihood import Likelihood
from mmcgan.training.terms.retrieval import Retrieval

Terms: TypeAlias = tuple[TagAdversarial | Retrieval | Likelihood, ...]
KINDS = (TagAdversarial, Retrieval, Likelihood)


def build_terms(options: TagObjectiveOptions) -> Terms:
    """Return the terms that the generator learns from photos and their tags."""
    terms: Terms = tuple(kind.of(options) for kind in KINDS)
    return tuple(term for term in terms if term.weight)


def options_of(terms: Terms) -> dict[str, Any]:
    """Return the options that ask for these terms, and for no other."""
    asked: dict[str, Any] = {}
    for part in [*(kind.absent for kind in KINDS), *(term.options for term in terms)]:
        asked |= part
    return asked
