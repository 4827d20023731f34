"""The gallery: measured photos beside what people and the cgan wrote on them."""

from __future__ import annotations

import numpy as np

from eval.answers import Answers, GalleryPhoto
from eval.findings import Findings, ShownPhoto
from eval.pages.section import Gallery, Section

ORDER = 30
N_TAGS = 10  # generated tags a photo


def section(findings: Findings) -> Section | None:
    """Show the photos with their tags."""
    said = (
        "What people wrote, and what the cgan generated, best first, with its score. A word that "
        "the photo carries is marked ✓."
    )
    gallery = Gallery(findings.gallery, said)
    return Section("gallery", "Gallery", "Gallery", [gallery]) if gallery else None


def shown_photos(answers: Answers) -> list[ShownPhoto]:
    """Return the photos of the gallery with their generated tags.

    A generated word is right if the photo carries it by the tags that the run learnt.
    """
    return [_shown(answers, photo) for photo in answers.gallery]


def _shown(answers: Answers, photo: GalleryPhoto) -> ShownPhoto:
    best = answers.systems["cgan"].ranking.top(N_TAGS)
    words = [answers.vocabulary.words[row] for row in best.rows[photo.place]]
    right = {*photo.user_tags, *(photo.annotations if answers.tags != "user" else ())}
    image_id = answers.image_ids[photo.place]
    return ShownPhoto(
        image_id.item() if isinstance(image_id, np.generic) else image_id,
        photo.thumbnail_jpeg,
        photo.user_tags,
        photo.annotations,
        [
            (word, float(score), word in right)
            for word, score in zip(words, best.scores[photo.place], strict=True)
        ],
    )
