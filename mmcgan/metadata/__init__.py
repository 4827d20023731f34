"""Keywords of photos, read and written where photo software has them.

`read_keywords` finds what people wrote. `plan_sidecar` and `plan_embedded` say what writing the
tags of mmcgan changes, `plan_removal` what taking them back changes; a `Change` is shown by `diff`
and made by `apply`. `model_of_sidecar` and `model_of_embedded` say what the tags that are there are
from.
"""

from __future__ import annotations

from mmcgan.metadata.change import Change
from mmcgan.metadata.embedded import model_of_embedded, plan_embedded, plan_removal
from mmcgan.metadata.keywords import Keywords, read_keywords
from mmcgan.metadata.marking import Marks
from mmcgan.metadata.sidecar import find_sidecars, model_of_sidecar, plan_sidecar

__all__ = [
    "Change",
    "Keywords",
    "Marks",
    "find_sidecars",
    "model_of_embedded",
    "model_of_sidecar",
    "plan_embedded",
    "plan_removal",
    "plan_sidecar",
    "read_keywords",
]
