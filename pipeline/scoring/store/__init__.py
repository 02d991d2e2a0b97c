"""The store of scored cells: folders on disk are the truth (``disk``), an SQLite index of them is rebuilt at will."""

from .disk import CellRecord, Store

__all__ = ["CellRecord", "Store"]
