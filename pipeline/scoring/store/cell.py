"""One cell's ``results.json`` and documents: what they must hold, and whether they are what was written.

Three things are written beside a cell's numbers: the digest of its documents, the digest of everything else
(``content_sha256``), and which of its metrics follow from the documents (``derived``). Cells of versions before that
lack the last two; what can be compared without them is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core import reading
from ...core.digest import file_digest, object_digest
from ...core.errors import BrokenError, plain
from ...core.metrics import metric_of

if TYPE_CHECKING:
    import pandas as pd

RESULTS, DOCUMENTS = "results.json", "documents.parquet"
IDENTITY = {
    "cell": str,
    "checkpoint": str,
    "requests": str,
    "task": str,
    "version": str,
    "setup": dict,
    "setup_digest": str,
    "source": str,
    "place": dict,
}
PLACE = ("run", "family", "step", "params", "tokens", "flops")
CONTENT = "content_sha256"
DERIVED = "derived"
OUR_LOSSES = (  # by our own formulas, whatever the task
    "nll",
    "bits_per_byte",
    "nll_mean_prob",
    "nll_choice",
    "val_loss",
    "val_bpb",
)
ANSWER_COLUMNS = {"doc_id", "choice", "gold", "answer_bytes", "answer_chars", "with_prompt", "loglik"}
SCORE = "score "  # a column of written answers with the scores of their documents begins so, the metric follows
METRIC_TOLERANCE = 1e-9  # relative and absolute: a metric and the same from the documents


def read(folder: Path) -> dict[str, Any]:
    """A cell's ``results.json``, with every key that is needed later; null is NaN in the numbers of its rows.

    Raises
    ------
    BrokenError
        When it cannot be read, lacks a key, or is another cell.
    """
    path = folder / RESULTS
    try:
        content = reading.json_of(reading.data(path))
        about: Any = content["benchcast"] if isinstance(content, dict) else None
        _check(about)
        if about["cell"] != folder.name:
            raise ValueError(f"holds another cell, {about['cell'][:50]}")
        if not isinstance(about.get("documents_sha256"), str):
            raise ValueError("has no documents_sha256")
        if not isinstance(about["rows"], list) or not about["rows"]:
            raise ValueError("has no rows")
        for key in PLACE:
            _ = about["place"][key]
        for row in about["rows"]:
            _check_row(row)
    except (ValueError, KeyError, TypeError) as error:
        what = f"has no {error}" if isinstance(error, KeyError) else str(error)
        raise BrokenError(plain(f"{path}: {what}")) from error
    checked: dict[str, Any] = content
    return checked


def failure(path: Path) -> dict[str, Any]:
    """The record of a failure.

    Raises
    ------
    BrokenError
        When it cannot be read, lacks a key, or is of another cell; the cell counts as never tried then.
    """
    try:
        about = reading.json_of(reading.data(path))
        _check(about)
        if about["cell"] != path.stem:
            raise ValueError(f"is of another cell, {about['cell'][:50]}")
        if not isinstance(about.get("reason"), str):
            raise ValueError("gives no reason")
    except (ValueError, KeyError, TypeError) as error:
        what = f"has no {error}" if isinstance(error, KeyError) else str(error)
        raise BrokenError(plain(f"{path}: {what}")) from error
    checked: dict[str, Any] = about
    return checked


def _check(about: Any) -> None:
    if not isinstance(about, dict):
        raise ValueError("is not a record of a cell")
    for key, kind in IDENTITY.items():
        if not isinstance(about[key], kind):
            raise ValueError(f"{key} is not what was written")
    if object_digest(about["setup"]) != about["setup_digest"]:
        raise ValueError("setup is not what setup_digest is of")
    if object_digest([about["checkpoint"], about["requests"], about["setup_digest"]])[:40] != about["cell"]:
        raise ValueError("checkpoint, requests and setup are not those of its cell")


def _check_row(row: Any) -> None:
    if not isinstance(row, dict) or not isinstance(row["task"], str) or metric_of(str(row["metric"])) is None:
        raise ValueError("a row of its results has no task or no known metric")
    if not math.isfinite(reading.number(row["value"])):
        raise ValueError(f"the value of {row['metric']} is not a number")
    for name in ("stderr", "n", "chance"):
        if name in row and row[name] is None:  # NaN, which JSON lacks
            row[name] = math.nan


def content_digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of a ``results.json`` as it is in the file, without the digest itself."""
    about = {k: v for k, v in content["benchcast"].items() if k != CONTENT}
    return object_digest(json.loads(json.dumps({**content, "benchcast": about})))


def from_documents(documents: pd.DataFrame) -> dict[str, float]:
    """What the values of the documents give: metrics in their units, and their number ``n``."""
    import numpy as np

    from ...data.documents.choices import right_answers

    columns = set(documents.columns)
    if "document_bytes" in columns:
        tokens, size = int(documents["answer_tokens"].sum()), int(documents["document_bytes"].sum())
        loss = -float(documents["loglik"].sum()) / tokens
        return {"val_loss": loss, "val_bpb": loss * (tokens / size / math.log(2)), "n": len(documents)}
    if "answer" in columns:
        return _of_written(documents)
    if not columns >= ANSWER_COLUMNS:
        return {}
    answers = documents[documents["with_prompt"].astype(bool)]
    answers = answers.assign(is_right=right_answers(answers))
    gold = answers[answers["is_right"]]
    if not len(gold):  # which answers are right is not known
        return {"n": float(answers["doc_id"].nunique())}
    nlls = (-gold["loglik"] / gold["answer_bytes"]).groupby(gold["doc_id"]).mean()
    nll = float(nlls.mean())
    metrics = {"nll": nll, "bits_per_byte": nll / math.log(2), "n": float(answers["doc_id"].nunique())}
    metrics["nll_mean_prob"] = float(np.log(len(nlls)) - np.logaddexp.reduce(-nlls.to_numpy(dtype=float)))
    groups = answers.groupby("doc_id")["loglik"]
    if int(groups.size().min()) > 1:
        top = groups.max()
        shares = np.exp(answers["loglik"] - groups.transform("max")).groupby(answers["doc_id"]).sum()
        # Relative to the best right one, whose share may be too small for a number beside the best answer's.
        right = gold.groupby("doc_id")["loglik"]
        among = np.exp(gold["loglik"] - right.transform("max")).groupby(gold["doc_id"]).sum()
        metrics["nll_choice"] = float((top + np.log(shares) - right.max() - np.log(among)).mean())
    for name, score in (("acc", answers["loglik"]), ("acc_norm", answers["loglik"] / answers["answer_chars"])):
        metrics[name] = float(answers.loc[score.groupby(answers["doc_id"]).idxmax(), "is_right"].mean())
    return metrics


def _of_written(documents: pd.DataFrame) -> dict[str, float]:
    """The same of written answers; ``n nll`` counts the documents with a reference answer."""
    import numpy as np

    first = documents.drop_duplicates("doc_id")
    metrics = {"n": float(len(first))}
    for column in first.columns:
        if column.startswith(SCORE) and first[column].notna().all():
            metrics[column.removeprefix(SCORE)] = float(first[column].mean())
    golds = first[first["gold_bytes"] > 0]
    if len(golds):
        nlls = (-golds["gold_loglik"] / golds["gold_bytes"]).to_numpy(dtype=float)
        metrics |= {"nll": float(nlls.mean()), "bits_per_byte": float(nlls.mean()) / math.log(2)}
        metrics["nll_mean_prob"] = float(np.log(len(nlls)) - np.logaddexp.reduce(-nlls))
        metrics |= {f"n {name}": float(len(golds)) for name in ("nll", "bits_per_byte", "nll_mean_prob")}
    return metrics


def derived(rows: list[dict[str, Any]], documents: pd.DataFrame) -> list[str]:
    """Names of the metrics, and ``n``, that the documents give; a task's own code may compute others."""
    given = _given(documents)
    names = {row["metric"]: row["value"] for row in rows} | {"n": rows[0].get("n", math.nan) if rows else math.nan}
    return sorted(name for name, value in names.items() if name in given and _close(given[name], value))


def faults(folder: Path) -> Iterator[str]:
    """What is wrong with a cell on disk, one line each, and one that begins with ``unchecked`` where nobody can tell.

    An edited number is found by the digest, and by the documents when the digest was edited with it.
    """
    import pandas as pd

    try:
        content = read(folder)
    except BrokenError as error:
        yield str(error)
        return
    about = content["benchcast"]
    if CONTENT not in about:
        yield f"unchecked {folder}"
    elif content_digest(json.loads((folder / RESULTS).read_text(encoding="utf-8"))) != about[CONTENT]:
        yield plain(f"{folder / RESULTS}: is not what was written: somebody edited it")
    path = folder / DOCUMENTS
    try:
        reading.check(path)
        if file_digest(path) != about["documents_sha256"]:
            yield plain(f"{folder}: {DOCUMENTS} is not the file that was written")
        documents = pd.read_parquet(path)
        given = _given(documents)
    except Exception as error:  # a file someone else wrote, through another library: anything can come
        yield plain(f"{path}: cannot be read ({' '.join(str(error).split())[:200]})")
        return
    yield from _contradictions(path, about, given)


def _contradictions(path: Path, about: Mapping[str, Any], given: Mapping[str, float]) -> Iterator[str]:
    expected = about.get(DERIVED, [*OUR_LOSSES, "n"])
    for row in about["rows"]:
        counted = given.get(f"n {row['metric']}", given.get("n", math.nan))
        pairs = (row["metric"], row["value"], given.get(row["metric"], math.nan)), ("n", row.get("n"), counted)
        for name, value, own in pairs:
            if name in expected and given and not _close(own, value):
                yield plain(
                    f"{path.with_name(RESULTS)}: task {row['task']!r}: {name} is {value}, but its documents give "
                    f"{own:.9g}"
                )


def _given(documents: pd.DataFrame) -> dict[str, float]:
    try:
        return from_documents(documents) if len(documents) else {"n": 0.0}
    except (KeyError, ValueError, TypeError, ZeroDivisionError):
        return {}


def _close(one: float, other: Any) -> bool:
    number = reading.number(other)
    return math.isclose(one, number, rel_tol=METRIC_TOLERANCE, abs_tol=METRIC_TOLERANCE)
