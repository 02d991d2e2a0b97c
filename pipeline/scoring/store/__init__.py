"""The store of scored cells: folders on disk are the truth (``disk``), an SQLite index of them is rebuilt at will."""

from .disk import Record, Store

__all__ = ["Record", "Store"]
