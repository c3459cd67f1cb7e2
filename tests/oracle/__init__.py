"""A second, slow implementation of the statement: one batch over all facts, nothing incremental.

It shares nothing with `processors` but the facts, the policy and the names of lines, so that a
mistake has to be made twice, in two shapes, to go unnoticed.
"""

from tests.oracle.books import Account, Books, ChainBook, OrderBook
from tests.oracle.settle import settle

__all__ = ["Account", "Books", "ChainBook", "OrderBook", "settle"]
