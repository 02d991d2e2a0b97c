"""The metrics that a ladder table may have: their units, what they can be, and what a wrong value usually is."""

from __future__ import annotations

from dataclasses import dataclass

FRACTION = "fraction"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """Unit and possible range of a metric; ``hint`` says what a value outside it usually is."""

    unit: str
    low: float
    high: float
    hint: str

    @property
    def is_accuracy(self) -> bool:
        """Whether it is a share of the documents."""
        return self.unit == FRACTION


SUM = "this looks like a sum over tokens; divide by the answer's bytes"
PERCENT = "is it a percentage? divide by 100"
METRICS = {
    "acc": Metric(unit=FRACTION, low=0.0, high=1.0, hint=PERCENT),
    "acc_norm": Metric(unit=FRACTION, low=0.0, high=1.0, hint=PERCENT),
    "nll": Metric(unit="nats/byte of the gold answer", low=0.0, high=25.0, hint=SUM),
    "bits_per_byte": Metric(unit="bits/byte of the gold answer", low=0.0, high=36.0, hint=SUM),
    # Per token where only that is published: source gemstones, which has no answers to count bytes of.
    "nll_mean_prob": Metric(unit="nats/byte of the gold answer", low=0.0, high=25.0, hint=SUM),
    "nll_token": Metric(unit="nats/token of the gold answer", low=0.0, high=100.0, hint="give the mean per token"),
    "nll_choice": Metric(unit="nats, normalised over the choices", low=0.0, high=1000.0, hint=SUM),
    "val_loss": Metric(unit="nats/token", low=0.0, high=25.0, hint="give the mean per token"),
    "val_bpb": Metric(unit="bits/byte", low=0.0, high=36.0, hint="give the mean per byte"),
}

# What other tools call them, for a hint.
ALIASES = {
    "accuracy": "acc",
    "acc,none": "acc",
    "acc_norm,none": "acc_norm",
    "loss": "val_loss",
    "eval_loss": "val_loss",
    "bpb": "bits_per_byte",
}

LOSSES = ("nll", "bits_per_byte", "nll_choice", "nll_mean_prob", "nll_token")  # of a task's own documents

# Names the recipes use for other columns beside the validation losses.
RESERVED = ("accuracy", "stderr", "chance", "params", "flops", "step", "tokens", "token_multiplier", "run", *METRICS)
