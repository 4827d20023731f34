"""Bulk feature extraction by several ranks, each with a share of the photos.

A rank works in a folder of its own in the work folder, `r0of2` and so on, as one process does in
the work folder (`data_prep.features`), and goes on there after an interruption. Shares are of
whole batches that follow each other, so that the joined features are those of one process.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data_prep.features import (
    Extracted,
    describe_job,
    extract_features,
    join_features,
    store_features,
)
from data_prep.photos import Photo
from mmcgan.inference.photos.backbone import Backbone
from mmcgan.inference.photos.feature_cache import FeatureCache
from mmcgan.training.ranks import Ranks


def extract_shared(
    photos: Sequence[Photo],
    backbone: Backbone,
    work_dir: Path,
    batch_size: int,
    max_failed: float,
    ranks: Ranks,
    cache: FeatureCache | None = None,
) -> Extracted | None:
    """Compute the features of `photos` together; the first rank gets all, the others None.

    Raises what `extract_features` raises, and `RankError` where a rank ended or has other photos.
    """
    if ranks.size == 1:
        return extract_features(photos, backbone, work_dir, batch_size, max_failed, cache)
    ranks.agree([describe_job(photos, backbone), batch_size], "photos")
    shares = split_in_batches(photos, batch_size, ranks.size)
    folders = [work_dir / f"r{rank}of{ranks.size}" for rank in range(ranks.size)]
    own, folder = shares[ranks.rank], folders[ranks.rank]
    store_features(own, backbone, folder, batch_size, (max_failed, len(photos)), cache)
    ranks.wait()
    if not ranks.is_first:
        return None
    join_features(dict(zip(folders, shares, strict=True)), backbone, work_dir, batch_size)
    return extract_features(photos, backbone, work_dir, batch_size, max_failed)


def split_in_batches(
    photos: Sequence[Photo], batch_size: int, n_shares: int
) -> list[Sequence[Photo]]:
    """Split `photos` into shares of whole batches; some are empty where photos are few."""
    n_batches = -(-len(photos) // batch_size)
    edges = [n_batches * i // n_shares * batch_size for i in range(n_shares + 1)]
    return [photos[edges[i] : edges[i + 1]] for i in range(n_shares)]
