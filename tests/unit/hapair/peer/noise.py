"""Text that does not compress."""

from random import Random


def noise(seed: int) -> str:
    """64 hexadecimal digits."""
    return Random(seed).randbytes(32).hex()
