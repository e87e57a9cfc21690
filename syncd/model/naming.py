"""Short stable names for what texts say."""

import hashlib


def digest(*parts: str) -> str:
    """A short stable name for what the parts say, 16 hexadecimal digits."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
