"""Gaussian noise by seed: the numbers that torch draws on a CPU, without torch.

Runs were measured with these numbers, so that the same seed goes on giving the same draws. They
come from the Mersenne Twister, 24 bits a uniform number, through Box and Muller's transform of
blocks of 16 (torch's `normal_fill`); below 16 numbers torch goes another way, which is not
followed.
"""

from __future__ import annotations

import math

import numpy as np

from mmcgan.arrays import FloatArray

BLOCK = 16


def gaussian_noise(seed: int, *shape: int) -> FloatArray:
    """Return independent standard normal numbers of this shape, those of `seed` modulo 2**32."""
    random = np.random.RandomState(seed % 2**32)
    n_numbers = max(math.prod(shape), BLOCK)
    n_whole = n_numbers - n_numbers % BLOCK
    noise = np.empty(n_numbers, np.float32)
    uniform = _uniform(random, n_numbers)
    noise[:n_whole] = _normal(uniform[:n_whole])
    if n_whole < n_numbers:  # the last block is drawn anew, over the end of the one before it
        noise[-BLOCK:] = _normal(_uniform(random, BLOCK))
    return noise[: math.prod(shape)].reshape(shape)


def _uniform(random: np.random.RandomState, n: int) -> FloatArray:
    """Return n numbers in [0, 1) of 24 bits."""
    bits = random.randint(0, 2**32, n, np.uint32) & np.uint32(2**24 - 1)
    return bits.astype(np.float32) * np.float32(2**-24)


def _normal(uniform: FloatArray) -> FloatArray:
    """Transform uniform numbers (16 n,) by blocks: of eight pairs, first radii and then angles."""
    radii, angles = uniform.reshape(-1, 2, BLOCK // 2).swapaxes(0, 1)
    radii, angles = np.sqrt(-2 * np.log(1 - radii)), np.float32(2 * np.pi) * angles
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1).ravel()
