"""The candidates among which ``auto`` averages, as the laws declare them: name -> ``CandidateLaw``, by step.

The default set lowers the mean miss in the backtests of four ladders taken together (two data mixes of the
over-training testbed, the model ladder's, our own); no target was looked at. Those marked ``extended`` do not, or help
some ladders and hurt others (the table is in docs/methods/auto.md): they are there for who wants a wider fan of laws.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..laws.candidate import CandidateLaw, Step
from ..laws.registry import candidates

FIRST: Mapping[str, CandidateLaw] = candidates(Step.BUDGET_TO_LOSS)
SECOND: Mapping[str, CandidateLaw] = candidates(Step.LOSS_TO_ACCURACY)
DIRECT: Mapping[str, CandidateLaw] = candidates(Step.BUDGET_TO_ACCURACY)
