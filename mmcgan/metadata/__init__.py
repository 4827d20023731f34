"""Keywords of photos, read and written where photo software keeps them.

`read_keywords` finds what people wrote. `plan_sidecar` and `plan_embedded` plan the changes that
write the tags of mmcgan, `plan_removal` those that take them out again; the `diff` of a `Change`
shows it, and `apply` makes it. `model_of_sidecar` and `model_of_embedded` name the model that wrote
the tags of a photo. Who looks at many photos of a folder gives all these the same `Listings`.
"""

from __future__ import annotations

from mmcgan.metadata.change import Change
from mmcgan.metadata.embedded import model_of_embedded, plan_embedded
from mmcgan.metadata.keywords import Keywords, read_keywords
from mmcgan.metadata.removal import Removal, plan_removal
from mmcgan.metadata.sidecar import Listings, find_sidecars, model_of_sidecar, plan_sidecar
from mmcgan.metadata.xmp.marking import Marks

__all__ = [
    "Change",
    "Keywords",
    "Listings",
    "Marks",
    "Removal",
    "find_sidecars",
    "model_of_embedded",
    "model_of_sidecar",
    "plan_embedded",
    "plan_removal",
    "plan_sidecar",
    "read_keywords",
]
