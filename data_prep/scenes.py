"""The scenes of the sample as a table: the layers that paint pictures of sixteen kinds.

The same generator state gives the same picture on the same versions of NumPy and Pillow;
DRAWING_VERSION changes whenever the pictures do.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from data_prep.drawing import (
    Layer,
    Outline,
    Part,
    blobs,
    draw,
    grey,
    land,
    sky,
    things,
    water,
)

DRAWING_VERSION = 2
LONG_SIDE, SHORT_SIDE = 192, 144


def oval(x: float, y: float, rx: float, ry: float) -> Outline:
    """Return an ellipse around (x, y)."""
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return list(zip(x + rx * np.cos(turn), y + ry * np.sin(turn), strict=True))


def box(left: float, top: float, right: float, bottom: float) -> Outline:
    """Return a rectangle."""
    return (left, top), (right, top), (right, bottom), (left, bottom)


DAY = "407ad9 b3d4f2", "2659bf 8cbff2", "8cadd1 d9e6f0"
DUSK = "331f59 d95940 ffbf4d", "733359 f28033 ffd973", "263366 b35973 faa673"
PALE = "b8c2d1 ebedf2", "8cb3e6 ebedf2", "d9dee6 ebedf2"
NIGHT = ("03030d 1a1433",)
BRIGHT = "e62640 f28cbf f7e640 f2f2f2 994dcc fa8c1f"
HAIR, SKIN = "1a120d 59331a bf944d", "edc2a8 cc9973 80543d"

DISC, WALL = [oval(0, 0, 1, 1)], [box(-2, -12, 2, 0)]
PANES = [box(x - 0.3, y, x + 0.3, y + 0.5) for x in (-1.4, -0.5, 0.5, 1.4) for y in range(-11, -1)]
SPARKS = [((0.1, 0), (1, -0.1), (1, 0.1)), oval(1, 0, 0.03, 0.25), oval(0.75, 0.5, 0.15, 0.1)]

SUN = Part("ffd973", DISC, blur=0.8), Part("fff7cc", [oval(0, 0, 0.4, 0.4)])
MOON, LAMP = (Part("f2f2d9", DISC),), (Part("ffb34d", DISC, blur=0.6),)
DARK_HOUSE = Part("0d0d17", WALL), Part("ffd973 fff2bf bfd9ff", PANES, share=0.4)
FAR_HOUSE = Part("a19c99 b39a8f 98a1ad c2bdb0", WALL), Part("7d8a99", PANES)
HOUSE = Part("8c8580 a67a61 6b7a8f bfb399", WALL), Part("3d4a5e", PANES)
TRUNK = (Part("61523d 1f1a12 40362a", [((-1, 0), (-0.6, -60), (0.6, -60), (1, 0))], contrast=0.3),)
BURST = Part("1f1a33", DISC, blur=0.4), Part(BRIGHT, SPARKS, turns=(20, 50), share=0.8)
TIERS = (0.4, 0), (0.3, -0.25), (0.2, -0.5)
FIR = (
    Part("243833 2e4033", [((-x, y), (x, y), (0, y - 0.5)) for x, y in TIERS]),
    Part("f2f5fa", [((-x / 2, y - 0.25), (0, y - 0.2), (0, y - 0.5)) for x, y in TIERS]),
)
BLOSSOM = (
    Part("336b26", [box(-0.06, 0, 0.06, 9)]),
    Part(BRIGHT, [oval(0.6, 0, 0.4, 0.45)], turns=(5, 13), contrast=0.2),
    Part("d9a61a 4d2e14", [oval(0, 0, 0.22, 0.22)], contrast=0.3),
)
BOAT = (
    Part("ebebe6 b31f1f 1f478c 26664d", [((-1, -0.3), (1.1, -0.35), (0.8, 0), (-0.8, 0))]),
    Part("403326", [box(-0.03, -2.2, 0.03, -0.3)]),
    Part("f2edde", [((0, -2.2), (1, -0.5), (0, -0.5))], share=0.7),
    Part("f2edde d98c73", [((-0.1, -1.8), (-0.8, -0.5), (-0.1, -0.5))], share=0.5),
)
PERSON = (
    Part(HAIR, [oval(0, -0.15, 0.95, 1.1)]),
    Part("bf262e 264080 e6e6e0 26262b 4d8059", [oval(0, 3.4, 2.1, 2)], contrast=0.3),
    Part(SKIN, [box(-0.35, 0, 0.35, 1.6), oval(0, 0.15, 0.74, 0.9)]),
    Part("f7f5f0", [oval(-0.32, 0, 0.16, 0.09), oval(0.32, 0, 0.16, 0.09)]),
    Part("1f1714", [oval(-0.32, 0, 0.08, 0.08), oval(0.32, 0, 0.08, 0.08)]),
    Part("ad4745", [oval(0, 0.62, 0.26, 0.08)]),
)
PLATE = (
    Part("1a1410", [oval(0.05, 0.08, 0.95, 0.9)], blur=0.05),
    Part("f0f0eb", [oval(0, 0, 1, 0.95)]),
    Part("c7c7c7 d9d9d4", [oval(0, 0, 0.68, 0.64)], blur=0.02),
)
MORSEL = (
    Part("4d3d33", [oval(0.1, 0.15, 1, 0.9)], blur=0.1),
    Part("bf331f e6b340 669933 804724 edd9a6", [oval(0, 0, 1, 0.85)], blur=0.05, contrast=0.5),
    Part("fffff2", [oval(-0.2, -0.3, 0.2, 0.15)], blur=0.2),
)

CLOUDS = blobs("fafaff", (0.1, 0.6), (3, 3), 0.1)
STREET = (
    sky((0.85, 0.95), DAY),
    CLOUDS,
    things(FAR_HOUSE, (5, 8), (0.04, 0.065), (0, 0)),
    things(HOUSE, (5, 8), (0.025, 0.055), (0, 0)),
    land("5c5c5e", (0, 0, 1), (0, 0, 1), (12, 30, 0.4)),
)


def wood(light: str, leaves: str, floor: str) -> tuple[Layer, ...]:
    """Return the layers of a wood: trunks between leaves."""
    return (
        sky((0.7, 0.85), (light,)),
        blobs(leaves, (0.5, 0.8), (4, 4), 0.8),
        things(TRUNK, (2, 5), (0.012, 0.025), (0, 0.02)),
        blobs(leaves, (0.2, 0.4), (4, 4), 0.8),
        land(floor, (0, 0, 1), (0.06, 0.06, 6), (20, 40, 0.7)),
        things(TRUNK, (1, 4), (0.02, 0.045), (0.05, 0.15)),
    )


KINDS: dict[str, tuple[Layer, ...]] = {
    "sky": (
        sky((0.9, 1.3), DAY),
        blobs("fafaff", (0.4, 0.75), (3, 3), 0.1),
        land("264020", (0, 0, 1), (0.03, 0.12, 4), (20, 20, 0.3)),
    ),
    "sea": (
        sky((0.25, 0.55), DAY),
        CLOUDS,
        water("0d4d80 1a738c 264d6b", 0.25),
        land("d9bf8c", (0.3, 0.7, 1), (0.04, 0.1, 2), (40, 40, 0.2), "f2f7f7"),
    ),
    "sunset": (
        sky((0.5, 0.75), DUSK),
        blobs("592640", (0.25, 0.5), (2, 7), 0.1),
        things(SUN, (1, 1), (0.12, 0.16), (-0.2, 0)),
        water("401f2e", 0.65),
        land("0f0a0f", (0.05, 0.6, 1), (0.08, 0.25, 4), (20, 20, 0.3)),
    ),
    "night": (
        sky((0.65, 0.9), NIGHT),
        things(MOON, (0, 1), (0.03, 0.05), (-0.65, -0.5)),
        things(DARK_HOUSE, (6, 10), (0.02, 0.05), (0, 0)),
        things(LAMP, (3, 8), (0.03, 0.05), (-0.03, -0.03)),
        water("05050f", 0.75),
    ),
    "mountains": (
        sky((0.5, 0.6), DAY),
        CLOUDS,
        land("808c9c 6b7480", (0, 0.1, 1), (0.3, 0.5, 3), (8, 6, 0.9), "f2f7ff"),
        land("5c6166 40454d 4d5a4d", (0.15, 0.35, 2), (0.15, 0.35, 3), (8, 6, 0.8)),
        land("1f3d1f", (0.4, 0.45, 1), (0.05, 0.2, 20), (20, 20, 0.3)),
    ),
    "city": STREET,
    "flower": (
        land("408030 5c8c33", (-1, -1, 1), (0, 0, 1), (3, 3, 0.9)),
        things(BLOSSOM, (1, 3), (0.17, 0.4), (0.3, 0.7), (0.2, 0.8)),
    ),
    "boats": (
        sky((0.35, 0.5), DAY),
        CLOUDS,
        land("4d6652", (0, 0, 1), (0.05, 0.15, 5), (20, 20, 0.3)),
        water("1f5273 335c61", 0.5),
        things(BOAT, (1, 4), (0.1, 0.25), (0.08, 0.45)),
    ),
    "forest": wood("bfd999 8cad73 d9ebeb", "2e5c1f 477524 1f4724", "384d1f"),
    "autumn": wood("f2e0a6 bfd1eb", "d16b1a b8381a e6ad29", "94521f"),
    "people": (
        land("8c9980 b39e8c 596680 d9d4cc", (-1, -1, 1), (0, 0, 1), (2, 2, 0.6)),
        things(PERSON, (1, 3), (0.13, 0.2), (0.35, 0.45)),
    ),
    "snow": (
        sky((0.5, 0.7), PALE),
        land("9eabbd", (0, 0, 1), (0.05, 0.2, 4), (20, 20, 0.3)),
        land("e6edf7", (0.02, 0.04, 1), (0.03, 0.06, 2), (2, 8, 0.2)),
        things(FIR, (2, 7), (0.15, 0.45), (0.05, 0.4)),
        blobs("ffffff", (-0.15, 0.3), (70, 60), 0.1),
    ),
    "desert": (
        sky((0.45, 0.6), DAY[:2]),
        land("d99e5c c77a45 e6bf80", (0, 0.45, 4), (0.1, 0.3, 1.5), (4, 40, 0.5)),
    ),
    "black and white": (
        *STREET,
        things(PERSON, (1, 2), (0.13, 0.2), (-0.6, -0.5)),
        grey((1.2, 1.7)),
    ),
    "fireworks": (
        sky((0.97, 1), NIGHT),
        things(BURST, (1, 5), (0.15, 0.38), (-0.85, -0.4), (0.1, 0.9)),
        land("030305", (0, 0, 1), (0.02, 0.14, 12), (20, 20, 0)),
    ),
    "food": (
        land("734729 bfb3a3 4d3833 992626", (-1, -1, 1), (0, 0, 1), (2, 30, 0.5)),
        things(PLATE, (1, 1), (0.36, 0.46), (0.45, 0.55), (0.4, 0.6)),
        things(MORSEL, (5, 11), (0.05, 0.12), (0.35, 0.65), (0.35, 0.65)),
    ),
}
UPRIGHT = {"people": 0.6, "flower": 0.3, "forest": 0.3, "city": 0.3, "fireworks": 0.3}


def draw_scene(kind: str, rng: np.random.Generator) -> Image.Image:
    """Return a picture of the kind, one of KINDS: 192 × 144 pixels, or 144 × 192 upright."""
    upright = rng.random() < UPRIGHT.get(kind, 0)
    return draw(KINDS[kind], (LONG_SIDE, SHORT_SIDE) if upright else (SHORT_SIDE, LONG_SIDE), rng)
