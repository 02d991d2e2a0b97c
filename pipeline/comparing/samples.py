"""The models of lm-eval's result files, with their samples: a folder, one result file, or one of samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from benchcast.reports.records.account import Account

from ..core import reading
from ..core.errors import Fault, FaultsError, InputError
from ..core.metrics import is_share, metric_name
from ..data.document_metrics import gold_nll
from ..data.sources.lm_eval import accuracies, files, models, samples
from ..data.sources.lm_eval.documents import BROKEN
from ..data.sources.lm_eval.files import ResultFile, Task
from .answers import Answers, Checkpoint, numbered, own_where_unnamed

UNFILTERED = "none"
Pairs = list[tuple[ResultFile, Task]]


def checkpoints(path: Path, account: Account, cluster: str | None = None) -> list[Checkpoint]:
    """Every model of a folder's results, or of one file; ``cluster`` is a field of the documents.

    Raises
    ------
    FaultsError
        When there are no results, or one is cut short.
    """
    faults: list[Fault] = []
    folder = path if path.is_dir() else path.parent
    results, others = files.result_files(folder, account, faults)
    results, task = _meant(results, path)
    if faults:
        raise FaultsError(faults)
    if not results:
        known = [name for name in others if name]
        what = f"holds files of {known[0]}, and no results of lm-eval" if known else "holds no results of lm-eval"
        raise FaultsError([Fault(str(path), what, "run lm_eval with --output_path and --log_samples")])
    by_model: dict[str, Pairs] = {}
    aliases: dict[str, tuple[str, ...]] = {}
    for one in models.named(results):
        aliases[one.model] = tuple(dict.fromkeys((*aliases.get(one.model, ()), *one.explicit, *one.plain)))
        by_model.setdefault(one.model, []).extend((one.file, t) for t in one.file.tasks if task in ("", t.name))
    return [
        Checkpoint(name=name, aliases=tuple(a for a in aliases[name] if a != name), read=_reader(pairs, cluster))
        for name, pairs in by_model.items()
    ]


def _meant(results: Sequence[ResultFile], path: Path) -> tuple[list[ResultFile], str]:
    """The result files that a path means, and the one task, where it is the file of a task's samples."""
    if path.is_dir():
        return list(results), ""
    if path.suffix == ".jsonl":
        of = [(f, t.name) for f in results for t in f.tasks if samples.path_of(f, t.name) == path]
        if not of:
            fix = "put the results_*.json of the same run beside it"
            raise FaultsError([Fault(str(path), "is not a file of samples whose results are there", fix)])
        return [of[0][0]], of[0][1]
    return [f for f in results if f.path == path], ""


def _reader(pairs: Pairs, cluster: str | None) -> Any:
    def read(account: Account) -> list[Answers]:
        found: dict[tuple[str, str], tuple[Answers, ResultFile]] = {}
        for file, task in pairs:
            if accuracies.is_average(task.name):
                continue
            if not samples.there(file, task.name):
                account.leave("tasks without samples (lm_eval --log_samples)", f"{task.name} in {file.shown}")
                continue
            for one in _answers(file, task, cluster, account):
                key = one.task, one.metric
                if key in found and not _same(found[key][0], one):
                    raise InputError(
                        f"{task.name}: was scored twice, in {found[key][1].shown} and {file.shown}, and the documents "
                        "differ; name one of these files"
                    )
                found.setdefault(key, (one, file))
        return [one for one, _ in found.values()]

    return read


def _same(a: Answers, b: Answers) -> bool:
    return np.array_equal(a.names, b.names) and np.array_equal(a.score, b.score)


@dataclass
class _Filtered:
    """The documents of one filter, as they stand in the file."""

    names: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    clusters: list[str] = field(default_factory=list)
    scores: dict[str, list[float]] = field(default_factory=dict)

    def add(self, raw: Mapping[str, Any], cluster: str | None) -> None:
        self.names.append(str(raw.get("doc_hash") or raw.get("doc_id"))[: samples.NAME])
        self.numbers.append(str(raw.get("doc_id")))
        self.prompts.append(str(raw.get("prompt_hash") or ""))
        document = raw.get("doc")
        value = document.get(cluster) if cluster and isinstance(document, Mapping) else None
        self.clusters.append("" if value is None else str(value))
        for name, value in raw.items():
            if isinstance(value, int | float) and is_share(name):
                self.scores.setdefault(name, []).append(float(value))


def _answers(file: ResultFile, task: Task, cluster: str | None, account: Account) -> Iterable[Answers]:
    """The answers of one file of samples, a score for every metric and filter; checked against its results.

    Raises
    ------
    FaultsError
        When it cannot be read, or is not of these results.
    """
    path = samples.path_of(file, task.name)
    faults: list[Fault] = []
    numbers = accuracies.numbers(task.name, task.output_type, task.metrics, lambda m: f"{path}: {m}", faults)
    by_filter: dict[str, _Filtered] = {}
    try:
        known = samples.read_samples(file, task, numbers.means)
        for raw in samples.lines(path):
            by_filter.setdefault(str(raw.get("filter") or UNFILTERED), _Filtered()).add(raw, cluster)
    except BROKEN as error:
        what = f"cannot be used: {' '.join(str(error).split())[:200]}"
        faults.append(Fault(str(path), what, "copy results and samples again from the same run"))
    if faults:
        raise FaultsError(faults)
    nll = np.array([gold_nll(d) for d in known.documents], dtype=float)
    for name, documents in by_filter.items():
        if len(set(documents.numbers)) < len(documents.numbers):
            account.leave("samples that do not say which filter they are of", f"{task.name} in {file.shown}")
            continue
        usual = Answers(
            task=task.name,
            metric="",
            names=numbered(documents.names),
            score=np.zeros(0),
            shots=reading.number(task.shots),
            version=task.version,
            prompts=np.array(documents.prompts) if all(documents.prompts) else None,
            clusters=own_where_unnamed(documents.clusters, documents.names) if any(documents.clusters) else None,
            shown=np.array(documents.numbers),
            nll=nll if len(nll) == len(documents.names) else None,
        )
        for metric, values in documents.scores.items():
            score = np.array(values, dtype=float)
            if len(score) != len(documents.names) or not np.isfinite(score).all():
                account.leave("scores that not every document has", f"{metric} of {task.name} in {file.shown}")
            elif metric not in task.not_means:
                yield replace(usual, metric=metric_name(metric, name), score=score)
