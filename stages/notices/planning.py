"""What a plan, its laws and its sweeps have to say."""

from __future__ import annotations

from functools import partial

from .notice import Code, Severity

_Code = partial(Code, area="planning", anchor="methods/planning.md#the-optimum-of-a-loss-law")

NOT_CONVERGED = _Code(
    "law-not-converged",
    "the fit of the law did not converge",
    ("the fit did not converge: these runs do not follow the law, so do not plan by it",),
)
FAR_PLAN = _Code(
    "plan-beyond-runs",
    "the budget is larger than that of any run",
    ("the plan has {reach:.3g} times the compute of the largest run ({largest:.2g} FLOPs)",),
)
DIVERGED = _Code(
    "diverged-runs",
    "runs lie so far above the law that they probably diverged",
    ("{diverged:d} of {runs:d} runs lie far above the law and get little weight: {rows}; did they diverge?",),
)

# ---- published laws ----

_Published = partial(
    Code,
    area="planning",
    anchor="methods/planning.md#the-choices-matter-more-than-the-interval",
    severity=Severity.INFO,
)

REFITTED = _Published(
    "refitted-law",
    "the interval of a published law is that of a fit to its points, made again",
    ("its interval comes from 4,000 bootstrap resamples of the paper's 240 points",),
)
DIGITS_DO_NOT_FIT = _Published(
    "digits-do-not-fit",
    "the printed constants do not describe the paper's own points",
    ("arXiv 2404.10102 shows that these digits do not fit the paper's own points",),
    severity=Severity.WARNING,
)
TOKENS_ONLY = _Published(
    "tokens-only",
    "a published law gives the tokens of the optimum and no loss, in FLOPs of its own",
    ("gives only the tokens D*; its FLOPs are not 6ND: 6 x 402B x 16.55T is 4.0e25, not 3.8e25",),
)
WITH_ATTENTION = _Published(
    "flops-with-attention",
    "a published law counts the FLOPs of attention",
    ("M is FLOPs per token with attention; N is given as M/6",),
)

# ---- isoFLOP sweeps ----

_Sweep = partial(Code, area="planning", anchor="methods/planning.md#isoflop")

OUTSIDE_SWEEP = _Sweep(
    "minimum-outside",
    "a minimum of the loss lies outside the sizes that were trained",
    ("{outside:d} of {budgets:d} minima lie outside the sizes that were trained",),
)
OFF_CENTRE = _Sweep(
    "sweep-off-centre",
    "the sizes that were trained are not spread evenly about the minimum",
    ("the minima lie {percent:.0f} % of the half width {side} the middle of their sweep",),
)
WANDERING = _Sweep(
    "sweep-drifts",
    "where the minimum lies in its sweep changes with the budget",
    (
        "from the smallest to the largest budget the minimum wanders by {percent:.0f} % of the half width "
        "within its sweep: the exponent is biased",
    ),
)
WIDE_SWEEP = _Sweep(
    "wide-sweep",
    "the sweep reaches so far that a parabola does not describe it",
    ("the sweeps reach a factor {factor:.0f} either way: a parabola fits their flanks, not the minimum",),
)
ASYMMETRIC = _Sweep(
    "asymmetric-sweep",
    "the loss does not rise alike on both sides of the minimum",
    ("the curves are asymmetric: a cubic term moves the minima by {percent:+.0f} %",),
)

# ---- batch sizes ----

_Batch = partial(Code, area="planning", anchor="methods/planning.md#critical-batch-size")

NO_CONTOUR = _Batch(
    "no-critical-batch",
    "some losses give no critical batch size",
    ("{lost:d} of {contours:d} contours have no positive S_min and E_min: their B_crit is not identified",),
)
NO_HYPERBOLA = _Batch(
    "hyperbola-refuted",
    "the runs do not trade steps for batch size as the law says",
    (
        "the hyperbola S = S_min + E_min / B misses by more than {limit:.0f} % on {missed:d} of {contours:d} contours "
        "(at the smallest batch by up to {worst:+.0f} %): it is not the law of these runs there",
    ),
)
NO_EXPONENT = _Batch(
    "batch-exponent-unknown",
    "how the critical batch size grows is not known",
    ("1/alpha_B is not identified: its {level:.3g} % interval {low:.1f} to {high:.1f} contains zero",),
)
NOT_IDENTIFIED = _Batch(
    "exponent-not-identified",
    "the data do not determine an exponent of the law",
    ("{name} = {value:.3g} is not identified: its standard error is {error:.2g}",),
)
