"""What a forecast is of, as an object and not as a name to split."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Target:
    """A run that is forecast: it exists, or it is planned.

    ``params``, ``tokens`` and ``flops`` are plain counts. Of a run that is tracked while it trains every length is a
    target of its own, under the name of the run's target: ``is_length`` tells them from its end.
    """

    name: str
    params: float | None
    tokens: float | None
    flops: float | None
    is_length: bool = False

    @property
    def label(self) -> str:
        """The name by which results and registers know it."""
        return f"{self.name}{_length(self.tokens)}" if self.is_length else self.name

    @classmethod
    def of(cls, label: str, *, params: float | None, tokens: float | None, flops: float | None) -> Target:
        """The target that a label is of; that it is a length, its tokens say."""
        suffix = _length(tokens)
        is_length = bool(suffix) and label.endswith(suffix)
        name = label.removesuffix(suffix) if is_length else label
        return cls(name=name, params=params, tokens=tokens, flops=flops, is_length=is_length)


def _length(tokens: float | None) -> str:
    return "" if tokens is None else f" @ {tokens:.6g} tokens"
