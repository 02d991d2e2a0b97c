"""What the readers of tables and results decided, and where two statements of one fact do not agree."""

from __future__ import annotations

from functools import partial

from .notice import Code, Severity

_Code = partial(Code, area="readers", anchor="inputs.md", severity=Severity.INFO)

# ---- planned targets ----

TARGET_SCALE = _Code(
    "target-scale",
    "a planned target is so far from the fitted runs as another unit would make it",
    (
        "{flops:.3g} FLOPs are {fewer:.3g} times fewer than the smallest fitted run's; "
        "are its numbers in the table's units?",
        "{flops:.3g} FLOPs are {times:.3g} times the largest fitted run's; are its numbers in the table's units?",
    ),
    severity=Severity.WARNING,
    about="target",
)
TARGET_RATIO = _Code(
    "target-ratio",
    "a planned target has tokens per parameter as no fitted run does, as in another unit",
    (
        "{ratio:.3g} tokens per parameter, the fitted runs {low:.3g} to {high:.3g}; "
        "are its numbers in the table's units?",
    ),
    severity=Severity.WARNING,
    about="target",
)
TARGET_CONVENTION = _Code(
    "target-convention",
    "the FLOPs of a planned target are not 6ND, as the ladder's are",
    (
        "its FLOPs are {factor:.3g} times 6·params·tokens, the ladder's are 6·params·tokens: "
        "laws in FLOPs and laws in params and tokens forecast different runs",
    ),
    severity=Severity.WARNING,
    about="target",
)
