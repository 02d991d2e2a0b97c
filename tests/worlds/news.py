"""What a nightly pass tells: names that must be shown as they are, a score in its band and one outside."""

from __future__ import annotations

from typing import Any

from benchcast.reports.records.nightly import News

NEWS: dict[str, Any] = {
    "since": "2026-11-24",
    "verdict": "7B: left its band on 1 of 2 tasks: mmlu (low).",
    "alerts": [{"rule": "outside", "text": "mmlu fell #set page(width: 2cm)", "since": "2026-11-23"}],
    "changes": ["mmlu fell below its band <b>", "3 checkpoints were scored", "#set page(width: 1cm)"],
    "tracking": [
        {"tokens": 1.2e12, "measured": 0.412, "low": 0.44, "high": 0.51, "verdict": "below the band", "task": "mmlu"},
        {"tokens": 1.2e12, "measured": 0.7, "low": 0.66, "high": 0.74, "verdict": "as forecast", "task": "../../x"},
    ],
}


def latest() -> News:
    """The news as a record."""
    return News.model_validate(NEWS)
