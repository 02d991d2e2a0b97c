"""What an axis shows, as a value and not as the words of its label."""

from __future__ import annotations

from enum import StrEnum


class Quantity(StrEnum):
    """A number of a run or of a forecast; the values are the words of the JSON.

    The label of an axis has its unit: a loss may be in nats per token or in bits per byte.
    """

    UNSTATED = ""
    FLOPS = "flops"
    TOKENS = "tokens"
    PARAMS = "params"
    PROXY_LOSS = "middle"  # loss or negative log-likelihood: what the first law forecasts
    ACCURACY = "accuracy"
    ERROR = "error"

    @property
    def is_share(self) -> bool:
        """Whether it is a fraction that people read in percent."""
        return self in (Quantity.ACCURACY, Quantity.ERROR)

    @property
    def is_logarithmic(self) -> bool:
        """Whether its axis is: compute, tokens and sizes span decades."""
        return self in (Quantity.FLOPS, Quantity.TOKENS)
