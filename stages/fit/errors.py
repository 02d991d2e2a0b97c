"""What can go wrong in science: data that no law can be fitted to, and tables that are not what an analysis needs.

::

    ValueError
    └── FitError            these data cannot be fitted: too few, not finite, or outside the law's domain
        └── NotASweepError  these runs are not an isoFLOP sweep, an envelope, or another designed set of runs

Both are about the data. A wrong argument or arrays whose shapes do not belong together are a mistake of the caller and
stay a plain ``ValueError``: a caller that goes on without one of many fits catches ``FitError`` and nothing else.
"""


class FitError(ValueError):
    """These data cannot be fitted; the message says why."""


class NotASweepError(FitError):
    """The runs do not have the design that an analysis needs; the message says what is missing."""
