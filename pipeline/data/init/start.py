"""A first config from what lies in a folder: results of lm-eval, lighteval or OLMES, checkpoints, or a ladder table.

What the files tell is filled in; what they do not is left as a comment that says so. Nothing is guessed into a number
that a law would be fitted on without a person having seen it: every number is written with the text it came from.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from benchcast.reports.records.account import Account, listed
from benchcast.stages.notices import readers

from ...core import reading
from ...core.config import Config, DataSettings, ScoreConfig
from ...core.errors import BenchcastError, Fault, FaultsError, InputError, UnreadableError
from .. import schema, sources
from ..places.ladder import LADDER
from ..places.models import ModelPlaces, read_model_places
from ..source import ResultsSource
from ..sources.lm_eval import files as lm_eval_files
from ..sources.lm_eval import foreign
from ..sources.lm_eval import models as lm_eval_models
from ..sources.lm_eval.models import Named
from . import config as init_config
from . import folders as init_folders
from . import ladder as init_ladder
from .config import Held
from .entry import FAMILY, NEAR, Known, apart
from .ladder import Ladder
from .text import relative

ADAPTERS = ("peft", "delta", "adapter")  # in the names of arguments that say that a model is an adapted one
MOST_LINES = 20  # lines to add that are printed
FEWEST_KINDS = 2


@dataclass(frozen=True)
class Draft:
    """Files to write, by path; and what a person has to do before they work."""

    files: dict[Path, str]
    to_do: tuple[str, ...]


@dataclass(frozen=True)
class Options:
    """What the person says of all models: tokens per parameter, and tokens of one optimizer step."""

    token_multiplier: float | None = None
    tokens_per_step: float | None = None

    def unused(self, account: Account, why: str, *, per_step: bool = True) -> None:
        """Say which of them were given and do not count."""
        steps = self.tokens_per_step if per_step else None
        values = {"--token-multiplier": self.token_multiplier, "--tokens-per-step": steps}
        given = [name for name, value in values.items() if value]
        if given:
            account.note(readers.UNUSED_OPTION(options=" and ".join(given), why=why))


@dataclass(frozen=True, kw_only=True)
class _Results:
    """A folder of results of lm-eval, lighteval or OLMES: its models, and what becomes of it."""

    source: ResultsSource
    folder: Path
    out: Path
    named: Sequence[Named]
    options: Options
    account: Account
    to_do: list[str] = field(default_factory=list)


def draft(
    path: Path,
    out: Path,
    token_multiplier: float | None = None,
    tokens_per_step: float | None = None,
    account: Account | None = None,
) -> Draft:
    """What ``benchcast init`` would write for a file or folder.

    Parameters
    ----------
    found : Path
        A ladder table, or a folder of results of lm-eval, lighteval or OLMES, or of checkpoints.
    out : Path
        The config; paths in it are relative to its folder.
    token_multiplier, tokens_per_step : float, optional
        How many tokens a model of the results saw: per parameter, or per step.
    account : Account, optional
        Gets what was left out and decided.

    Raises
    ------
    InputError
        When there is nothing a config could be written for, or an option contradicts what names say.
    """
    account = account or Account()
    options = Options(token_multiplier, tokens_per_step)
    if not os.path.lexists(path):
        raise InputError(f"{path}: does not exist (give a ladder table, or a folder of results or checkpoints)")
    _nameable(path, out)
    if not path.is_dir():
        return _from_file(path, out, options, account)
    for source in sources.result_sources().values():
        faults: list[Fault] = []
        searched = Account()  # the reader says it all again when it reads the results
        files, others = source.result_files(path, searched, faults)
        if files and not faults:
            return _from_results(
                _Results(
                    source=source,
                    folder=path,
                    out=out,
                    named=lm_eval_models.named(files),
                    options=options,
                    account=account,
                )
            )
        if faults:
            lm_eval_files.leave_others(others, searched)
            account.add(searched.record())
            raise FaultsError(faults)
    lm_eval_files.leave_others(others, searched)
    account.add(searched.record())
    if checkpoints := init_folders.checkpoints(path, account):
        options.unused(account, "checkpoints are scored first", per_step=False)
        text = checkpoints.config(out, tokens_per_step)
        unless = "" if tokens_per_step else " tokens_per_step (unless the checkpoints tell their tokens),"
        what = f"{out}: set tasks,{unless} and the planned run"
        return Draft({out: text}, (what, *init_folders.trainer_losses(path)))
    return _from_others(path, out, options, others, account)


def _nameable(path: Path, out: Path) -> None:
    """Refuse what a config, which is UTF-8, cannot name."""
    try:
        relative(path, out.parent).encode()
    except UnicodeEncodeError:
        fix = "rename it, or run init in the folder itself, with . for it"
        raise FaultsError([Fault(str(path), "has a name that is not UTF-8, which a config cannot name", fix)]) from None


# ---- a table ----


def _from_file(path: Path, out: Path, options: Options, account: Account) -> Draft:
    try:
        reading.check(path)
    except UnreadableError as error:
        raise FaultsError([Fault(str(path), str(error), "give a ladder table, or a folder")]) from None
    if init_folders.is_export(path):
        fix = f"benchcast ingest wandb --from {path.parent}"
        raise FaultsError([Fault(str(path), "is an export of Weights & Biases, no ladder table", fix)])
    if path.suffix == ".json" and (tool := _tool(path)) and sources.reader_of(tool):
        raise FaultsError([Fault(str(path), f"is a result file of {tool}", f"give its folder, {path.parent}")])
    table = schema.read_table(path, account)
    options.unused(account, "a ladder table states its tokens")
    held = Held(table=table, source="table")
    return Draft({out: init_config.forecast(path, out, held)}, init_config.needs(held))


def _tool(path: Path) -> str:
    try:
        return foreign.tool(reading.json_of(reading.data(path)))
    except UnreadableError:
        return ""


# ---- results of lm-eval, lighteval or OLMES ----


def _from_results(results: _Results) -> Draft:
    files: dict[Path, str] = {}
    ladder = results.folder / LADDER
    if os.path.lexists(ladder):
        held = _listed(results, ladder)
    else:
        made = _built(results, results.named)
        files[ladder] = made.text()
        held = _held(results, made.places(), {entry.name for entry in made.lacking()}, made.untrained)
        _advise(results, made, ladder)
    results.to_do.extend(init_config.needs(held))
    files[results.out] = init_config.forecast(results.folder, results.out, held)
    return Draft(files, tuple(results.to_do))


def _built(results: _Results, named: Sequence[Named]) -> Ladder:
    models = lm_eval_models.models(named, defaultdict(bool), defaultdict(bool))
    known = [
        Known(
            name=m.name,
            pretrained=m.pretrained,
            revision=m.revision,
            params=m.params,
            adapter=any(word in key for key in m.args for word in ADAPTERS),
        )
        for m in models
    ]
    options = results.options
    return init_ladder.build(known, options.token_multiplier, options.tokens_per_step, results.account)


def _advise(results: _Results, made: Ladder, ladder: Path) -> None:
    lacking = len(made.lacking())
    what = (
        f'fill in what is marked "add" for {lacking}' if lacking else "check the numbers, whose origin is behind each,"
    )
    results.to_do.insert(0, f"{ladder}: {what} of {len(made.entries)} models")
    kinds = init_ladder.series(made.entries)
    if len(kinds) >= FEWEST_KINDS:
        results.to_do.append(
            f"{ladder}: every family is {FAMILY}, but the names begin in {len(kinds)} ways "
            f"({listed(kinds)}): give models of another data mix or recipe a family of their own"
        )


def _listed(results: _Results, ladder: Path) -> Held:
    """With the ``ladder.yaml`` that is there, which stays as it is: what it lacks is said."""
    faults: list[Fault] = []
    places = read_model_places(results.folder, faults)
    if faults and not places:
        raise FaultsError(faults)  # the file itself cannot be read
    _compare(results, places, ladder)
    unlisted = [one for one in results.named if not any(name in places for name in (*one.explicit, *one.plain))]
    results.account.note(readers.LADDER_KEPT(str(ladder)))
    results.to_do.extend(str(fault) for fault in faults)
    missing: dict[str, Any] = {}
    if unlisted and not faults:
        made = _built(results, unlisted)
        missing = made.places()
        lines = made.text().removeprefix(init_ladder.HEAD).splitlines()
        results.to_do.append(f"{ladder}: add {len(lines)} models that the results have and it does not:")
        results.to_do.extend(f"  {line}" for line in lines[:MOST_LINES])
        if len(lines) > MOST_LINES:
            results.to_do.append(f"  and {len(lines) - MOST_LINES} more")
    else:
        results.options.unused(results.account, f"{ladder} tells the tokens")
    given = {name: None if place is None else place.model_dump() for name, place in places.items()}
    waiting = {one.model for one in results.named} if faults else set(missing)
    return _held(results, ({} if faults else given) | missing, waiting)


def _compare(results: _Results, places: ModelPlaces, ladder: Path) -> None:
    """Parameters that ``ladder.yaml`` gives, against those that the results state."""
    for one in results.named:
        place = next((places[name] for name in (*one.explicit, *one.plain) if name in places), None)
        stated = one.file.identity.params
        if place is not None and stated and apart(place.params, stated) > NEAR:
            results.account.note(readers.PARAMS_DIFFER(one.model, params=place.params, file=str(ladder), stated=stated))


def _held(results: _Results, places: Mapping[str, Any], lacking: set[str], left_out_before: Sequence[str] = ()) -> Held:
    """The table as it will be read, with stand-ins for the models whose place is not known yet.

    ``said`` are models whose leaving out was said already.

    What is wrong with the results themselves is a fault at once. What is wrong with the places only is left to do.

    Raises
    ------
    FaultsError
        When the results cannot be read, wherever their models stand.
    """
    waiting = {name for name in lacking if places.get(name, "") is not None}
    source, account = results.source, Account()
    try:
        table = source.read_placed(results.folder, account, dict(places) | _stand_ins(waiting))
        held = Held(table=table, source=source.name, placed=not waiting)
    except FaultsError as error:
        account = Account()
        table = source.read_placed(results.folder, account, _stand_ins({one.model for one in results.named}))
        held = Held(table=table, source=source.name, placed=False)
        results.to_do.extend(str(fault) for fault in error.faults[:MOST_LINES])
        if len(error.faults) > MOST_LINES:
            results.to_do.append(f"and {len(error.faults) - MOST_LINES} more such faults")
    record = account.record()
    others = tuple(left for left in record.left_out if not set(left.examples) <= set(left_out_before))
    results.account.add(record.model_copy(update={"left_out": others}))
    return held


def _stand_ins(names: set[str]) -> dict[str, Any]:
    """Places that contradict nothing, each a run of its own."""
    return {name: {"run": name, "family": "to be placed", "params": 1e9, "tokens": 2e10} for name in sorted(names)}


# ---- other tools ----


def _from_others(
    path: Path, out: Path, options: Options, others: Mapping[str, Sequence[str]], account: Account
) -> Draft:
    """Results of another tool get a config where its reader needs nothing more, else the command that reads them."""
    readers = {tool: source for tool in others if (source := sources.reader_of(tool))}
    for tool, reader in readers.items():
        from .. import ingest

        try:
            loaded = ingest.read_data(DataSettings.model_validate({"source": reader, "path": path}), Path())
        except FaultsError as error:
            first, more = error.faults[0], len(error.faults) - 1
            raise FaultsError(
                [
                    Fault(
                        str(path),
                        f"holds results of {tool}, which the {reader} reader refuses: {first}"
                        + (f", and {more} more faults" if more else ""),
                        f"then: benchcast ingest {reader} --from {path}",
                    )
                ]
            ) from None
        account.add(loaded.account)
        options.unused(account, f"the {reader} reader tells the tokens")
        held = Held(table=loaded.table, source=reader)
        return Draft({out: init_config.forecast(path, out, held)}, init_config.needs(held))
    known = [f"results of {tool}: benchcast ingest {reader} --from {path}" for tool, reader in readers.items()]
    hints = list(dict.fromkeys([*known, *init_folders.elsewhere(path)]))
    unread = [tool for tool in others if tool and tool not in readers]
    if hints:
        raise InputError(f"{path}: holds neither results of lm-eval nor checkpoints, but {'; and '.join(hints)}")
    raise InputError(
        f"{path}: holds neither results of lm-eval (results*.json), nor checkpoints (config.json with *.safetensors)"
        + (f", but files of {listed(unread)}, which init does not read" if unread else "")
        + "; for a ladder table give the CSV or Parquet file itself"
    )


def check(text: str) -> None:
    """A config that was just written must be one.

    Raises
    ------
    BenchcastError
        When it is not: a fault of this module.
    """
    content = yaml.safe_load(text)
    try:
        (Config if "data" in content else ScoreConfig).model_validate(content)
    except ValueError as error:
        raise BenchcastError(f"the config that was drafted is not valid: {error}") from error
