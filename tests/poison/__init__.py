"""Records that must not be applied, and the reason each is refused with.

The corpus is built by code, because half of it is not text that an editor would keep.
"""

from tests.poison.corpus import Poison, corpus

__all__ = ["Poison", "corpus"]
