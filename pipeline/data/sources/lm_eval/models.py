"""The models of a folder of lm-eval results: who they are, how ``ladder.yaml`` may name them, where it places them."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchcast.reports.records.account import Account, listed

from ....core.errors import Fault
from ...places.ladder import LADDER
from ...places.models import ModelPlaces
from . import identity as identities
from .files import ResultFile, shown
from .identity import Identity


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model of a results folder, as the results state it."""

    name: str  # what ladder.yaml calls it
    pretrained: str
    revision: str  # '' for the main branch
    params: float | None  # parameters as the results count them; None when they do not say
    source: str  # one of its files, relative to the folder
    has_accuracy: bool
    has_nll: bool  # samples were logged, from which losses of the gold answers come
    args: dict[str, str] = field(default_factory=dict)
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A result file with its model's name in this folder, and every way to say it: explicit ones, then plain ones."""

    file: ResultFile
    model: str
    explicit: tuple[str, ...]
    plain: tuple[str, ...]


def named(files: Sequence[ResultFile]) -> list[Named]:
    """Every file with a name for its model that no other model of the folder has."""
    known = identities.unified(_own(file) for file in files)
    display = identities.display_names(known.values())
    named_files = []
    for file in files:
        one = known[_own(file)]
        own = file.base if file.base != "results" else ""
        alone = bool(own) and file.old and not one.revision  # lm-eval 0.3: a file per model, its name tells which
        name = own if alone else display[one.key]
        explicit = (*((own,) if alone else ()), *identities.explicit_names(one, display[one.key]))
        folders = (shown(file.path.parent), shown(Path(file.shown).parent), shown(Path(file.path.parent.name)))
        plain = identities.plain_names(one, own, one.name.replace("/", "__"), *folders)
        named_files.append(
            Named(
                file=replace(file, identity=one),
                model=name,
                explicit=explicit,
                plain=tuple(p for p in plain if p != "."),
            )
        )
    return named_files


def placed(
    named_files: Sequence[Named], folder: Path, places: ModelPlaces, account: Account, faults: list[Fault]
) -> list[tuple[Named, str]]:
    """Every file whose model has a place, with the key it is listed under.

    A name that says a revision or another particular wins over a plain one. A plain name that several models of the
    folder answer to is a fault, and so is a model that is not listed, and a folder without the file.
    """
    chosen: list[tuple[Named, str]] = []
    if named_files and not places and not os.path.lexists(folder / LADDER):
        names = listed(dict.fromkeys(one.model for one in named_files))
        what = f"does not exist; it says where each model stands: {names}"
        faults.append(Fault(str(folder / LADDER), what, f"benchcast init {folder} writes it"))
        return []
    for one in named_files:
        key = next((name for name in (*one.explicit, *one.plain) if name in places), None)
        if key is None:
            faults.append(_unplaced(one, folder, places))
        else:
            chosen.append((one, key))
    by_key: dict[str, dict[Any, list[Named]]] = {}
    for one, key in chosen:
        by_key.setdefault(key, {}).setdefault(one.file.identity.key, []).append(one)
    several = {key for key, models in by_key.items() if len(models) > 1 and places[key] is not None}
    faults += (_several(key, [files[0] for files in by_key[key].values()], folder) for key in sorted(several))
    for key, place in places.items():
        if key not in by_key:
            account.leave(f"models of {LADDER} that no usable result is about", key)
        elif place is None and not faults:  # one with faults is None as well
            account.leave(f"models that {LADDER} leaves out (null)", key)
    return [(one, key) for one, key in chosen if key not in several and places[key] is not None]


def models(files_named: Iterable[Named], scored: Mapping[str, bool], sampled: Mapping[str, bool]) -> list[Model]:
    """The models by name; ``scored`` and ``sampled`` say of each file whether it has accuracies, and samples."""
    files: dict[str, list[Named]] = {}
    for one in files_named:
        files.setdefault(one.model, []).append(one)
    return [_model(name, several, scored, sampled) for name, several in files.items()]


def _model(name: str, files: Sequence[Named], scored: Mapping[str, bool], sampled: Mapping[str, bool]) -> Model:
    sources = tuple(one.file.shown for one in files)
    first = files[0].file.identity
    params = next((one.file.identity.params for one in files if one.file.identity.params), None)
    return Model(
        name=name,
        pretrained=first.base,
        revision=first.revision,
        params=params,
        source=sources[0],
        has_accuracy=any(scored[s] for s in sources),
        has_nll=any(sampled[s] for s in sources),
        args=dict(first.args),
        sources=sources,
    )


def _own(file: ResultFile) -> Identity:
    """The file's identity, named after the file or its folder where the results name no model."""
    if file.identity.name:
        return file.identity
    name = file.path.parent.name if file.base == "results" else file.base
    return replace(file.identity, name=shown(Path(name)), base=shown(Path(name)))


def _unplaced(one: Named, folder: Path, places: Iterable[str]) -> Fault:
    near = difflib.get_close_matches(one.model, list(places), 1)
    fix = f"did you mean {near[0]!r}?" if near else "write {run, family, step, params, tokens, flops} for it"
    return Fault(str(folder / LADDER), f"model {one.model!r} is not in it", fix)


def _several(key: str, models: Sequence[Named], folder: Path) -> Fault:
    facts = identities.differences([one.file.identity for one in models])
    apart = "; ".join(f"{fact} {listed(value or 'not stated' for value in values)}" for fact, values in facts)
    files = listed(one.file.shown for one in models)
    names = listed((one.model for one in models), 20)
    what = f"the name fits {len(models)} models of the results, which differ in {apart} (files {files})"
    return Fault(f"{folder / LADDER}: {key}", what, f"list each by its own name: {names}")
