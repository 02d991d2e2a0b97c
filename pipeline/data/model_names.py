"""Numbers that a model's name tells: its step, parameters, tokens, tokens per parameter and batch.

``numbers`` reads what the names of public checkpoints have in common: ``step143000``, ``step-1431k-3T``,
``iter_0005000``, ``stage1-step10000-tokens21B``, ``190M-5xC``, ``0.5MtokBS``. A number that may mean two things (``4k``
may be a context, ``8x7B`` is a mixture, ``1_6b`` is 1.6 or 6 billion) is not read; the reason is kept instead, for a
person to decide. Every number keeps the text that it came from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from .name_patterns import (
    BATCH,
    BATCH_OTHER,
    CKPT,
    CONTEXT_THOUSANDS,
    FEW_TOKENS,
    FEWEST_CKPT_STEPS,
    HASH,
    MIXTURE,
    MOST_STEP_TOKENS,
    N_IS,
    OF_CHECKPOINT,
    OTHER_NUMBERS,
    PER_PARAMETER,
    SIZE,
    SIZE_INNER,
    SIZE_POINT,
    SIZE_UNCLEAR,
    STAGE,
    STEP,
    TIMES,
    TIMES_CHINCHILLA,
    TOKENS,
    USUAL_FOLDERS,
    WORD_COUNT,
)

UNITS: Final = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
CHINCHILLA = 20.0  # tokens per parameter; ``5xC`` in a name is five times as many
DEEPEST = 20  # parts of a path that are looked at, the innermost
LONGEST = 500  # letters of a part of a name that are looked at


@dataclass(frozen=True)
class Read:
    """A number and the part of the name that it was read from."""

    value: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """What a name tells; None where it does not, and then ``unsure`` may say why a number in it was not read.

    Attributes
    ----------
    run : str
        The name without what only tells the checkpoint.
    step : Read, optional
        Optimizer steps.
    params, tokens, batch : Read, optional
        Parameters; tokens seen; tokens of one step.
    token_multiplier : Read, optional
        Tokens per parameter of the whole run. ``5xC`` is five times Chinchilla's 20; of a bare ``5x``, which some
        write for that and some for 5 tokens per parameter, the value is 5, and ``bare`` is set.
    bare : bool
        Whether the multiplier is such a bare one.
    unsure : dict
        Quantity (a name above) to the reason why it was not read.
    """

    run: str
    step: Read | None = None
    params: Read | None = None
    tokens: Read | None = None
    token_multiplier: Read | None = None
    batch: Read | None = None
    bare: bool = False
    unsure: dict[str, str] = field(default_factory=dict)


def numbers(name: str) -> Numbers:
    """What a model's name or path tells; a revision stands behind an ``@``.

    The innermost part of a path that tells a quantity counts: of ``/7b-runs/160m/step1000`` the size is ``160m``.
    Nothing is looked up, and nothing is worked out from two numbers.

    Examples
    --------
    >>> found = numbers("TinyLlama/TinyLlama-1.1B-intermediate-step-1431k-3T")
    >>> found.run, found.step.value, found.params.value, found.tokens.value
    ('TinyLlama-1.1B-intermediate', 1431000.0, 1100000000.0, 3000000000000.0)
    >>> numbers("mistralai/Mixtral-8x7B-v0.1").params is None
    True
    """
    path, _, revision = name.partition("@")
    folders = [text for text in re.split(r"[/\\]", path) if text.strip(". ")]
    parts = [_Part(text[-LONGEST:]) for text in folders[-DEEPEST:]]
    at = _Part(revision[-LONGEST:]) if revision else None
    _bare_steps(parts)
    _of_owner(path, parts)
    inner = parts[::-1]
    gathered = _Gathered()
    for part in inner:
        gathered.take("params", part)
    if at is not None:
        gathered.take("params", at)
    for quantity in ("step", "tokens", "token_multiplier", "batch"):
        for part in ([at] if at is not None else []) + inner:
            gathered.take(quantity, part)
    _trailing(gathered, inner, at)
    _mixture(gathered, [*inner, *([at] if at else [])])
    _later_stage(gathered, [*inner, *([at] if at else [])])
    unsure = {quantity: why for quantity, why in gathered.unsure.items() if quantity not in gathered.read}
    read = gathered.read
    multiplier = read.get("token_multiplier")
    return Numbers(
        run=_run(name, parts, at),
        step=read.get("step"),
        params=read.get("params"),
        tokens=read.get("tokens"),
        token_multiplier=multiplier,
        batch=read.get("batch"),
        bare=multiplier is not None and TIMES.fullmatch(multiplier.text) is not None,
        unsure=unsure,
    )


class _Part:
    """One part of a path, read from its clearest patterns to its least clear; what was read is cut out of ``left``."""

    def __init__(self, text: str) -> None:
        self.text, self.left = text, text
        self.read: dict[str, list[Read]] = {}
        self.unsure: dict[str, str] = {}
        self.spans: list[tuple[int, int]] = []  # of what tells the checkpoint
        self.after_step: Read | None = None
        self.numeric = text.isascii() and text.isdigit()
        self._measures()
        self._sizes()

    def _measures(self) -> None:
        for pattern in BATCH:
            self._each("batch", pattern)
        self._drop(BATCH_OTHER)
        for pattern in OTHER_NUMBERS:
            self._drop(pattern)
        self.spans += [match.span() for match in self._cut(OF_CHECKPOINT)]
        for pattern in STEP:
            self._each("step", pattern)
        for match in self._cut(CKPT):
            self.spans.append(match.span())
            if (read := _read(match)).value >= FEWEST_CKPT_STEPS:
                self.read.setdefault("step", []).append(read)
            elif "step" not in self.read:
                self.unsure["step"] = f"{match[0]} may count checkpoints, not steps"
        for pattern in TOKENS:
            self._each("tokens", pattern)
        for match in self._cut(FEW_TOKENS):
            if (read := _read(match)).value > MOST_STEP_TOKENS:
                self.read.setdefault("tokens", []).append(read)
                self.spans.append(match.span())
            else:
                self.unsure["tokens"] = f"{match[0]} may be those of one step"
        for pattern in PER_PARAMETER:
            self._each("token_multiplier", pattern)
        self._each("token_multiplier", TIMES_CHINCHILLA, lambda m: Read(CHINCHILLA * float(m["n"]), m[0]))
        self._each("token_multiplier", TIMES)

    def _sizes(self) -> None:
        if WORD_COUNT.search(self.text):
            self.unsure["params"] = "of BabyLM the number is words of text"
        self.mixture = next((m[0] for m in MIXTURE.finditer(self.text)), None)
        for match in self._cut(SIZE_UNCLEAR):
            self.unsure["params"] = f"{match[0]} may be {match[0].replace('_', '.')} or {match[0].split('_')[1]}"
        for pattern in (SIZE_INNER, SIZE_POINT):
            self._each("params", pattern, lambda m: Read(_scaled(f"{m['n']}.{m['f']}", m["u"]), m[0]))
        self._each("params", N_IS)
        sizes = [(m, _read(m)) for m in self._cut(SIZE)]
        thousands = [read for m, read in sizes if m["u"].lower() == "k"]
        trillions = [read for m, read in sizes if m["u"].lower() == "t"]
        plain = [(m, read) for m, read in sizes if m["u"].lower() in "mb"]
        if plain and self._follows_step(plain[-1][0]):
            match, self.after_step = plain.pop()
            self.spans.append(match.span())
        self.read.setdefault("params", []).extend(read for _, read in plain)
        if self.read["params"] or self.after_step:
            thousands = []  # a context beside a size
        for read in thousands:
            if read.value / 1e3 in CONTEXT_THOUSANDS:
                self.unsure.setdefault("params", f"{read.text} may be a context length")
            else:
                self.read["params"].append(read)
        self.trillions = trillions
        if trillions and self._follows_step(match := [m for m, _ in sizes if m["u"].lower() == "t"][-1]):
            self.spans.append(match.span())

    def _follows_step(self, match: re.Match[str]) -> bool:
        """Whether a number stands behind the step, at the end: ``step-50K-105b``."""
        ends = [end for _, end in self.spans if end <= match.start()]
        return "step" in self.read and bool(ends) and not self.text[match.end() :].strip("-_. ")

    def _each(
        self, quantity: str, pattern: re.Pattern[str], value: Callable[[re.Match[str]], Read] | None = None
    ) -> None:
        for match in self._cut(pattern):
            self.read.setdefault(quantity, []).append((value or _read)(match))
            if quantity in ("step", "tokens"):
                self.spans.append(match.span())

    def _drop(self, pattern: re.Pattern[str]) -> None:
        list(self._cut(pattern))

    def _cut(self, pattern: re.Pattern[str]) -> list[re.Match[str]]:
        """Matches in what is left, which they are cut out of; positions stay those of the text."""
        matches = list(pattern.finditer(self.left))
        for match in matches:
            self.left = self.left[: match.start()] + " " * (match.end() - match.start()) + self.left[match.end() :]
        return matches

    def without_checkpoint(self) -> str:
        """The text without what tells the checkpoint: step, and the tokens beside a step."""
        if "step" not in self.read and "step" not in self.unsure:
            return self.text
        kept = list(self.text)
        for start, end in self.spans:
            kept[start:end] = "\0" * (end - start)
        text = re.sub(r"[-_.= ]*\0+[-_.= ]*", "\0", "".join(kept))
        return re.sub("\0+", "-", text).strip("-_. ")


@dataclass
class _Gathered:
    read: dict[str, Read] = field(default_factory=dict)
    unsure: dict[str, str] = field(default_factory=dict)

    def take(self, quantity: str, part: _Part) -> None:
        """What a part tells of a quantity that no part before it told, or left in doubt."""
        if quantity in self.read or quantity in self.unsure:
            return
        zero = quantity in ("step", "tokens")  # only these can be none
        candidates = {read.value: read for read in part.read.get(quantity, []) if read.value or zero}
        if quantity in part.unsure:
            self.unsure[quantity] = part.unsure[quantity]
        elif len(candidates) > 1:
            self.unsure[quantity] = f"{' and '.join(read.text for read in candidates.values())} cannot both be right"
        elif candidates:
            read = next(iter(candidates.values()))
            if quantity == "step" and read.value != int(read.value):
                self.unsure[quantity] = f"{read.text} is not a whole number of steps"
            else:
                self.read[quantity] = read


def _trailing(gathered: _Gathered, inner: Iterable[_Part], at: _Part | None) -> None:
    """``105b`` and ``3T`` behind a step or beside a size are tokens; where no size stands beside them, in doubt."""
    inner = list(inner)
    for part in ([at] if at is not None else []) + inner:
        trailing = [*([part.after_step] if part.after_step else []), *part.trillions]
        if part is at and not trailing and len(part.read.get("params", [])) == 1:
            size = gathered.read.get("params")
            size_there = part.read["params"][0]
            if size is not None and size != size_there:
                gathered.unsure.setdefault("tokens", f"{size_there.text} in the revision may be tokens")
        if not trailing:
            continue
        values = {read.value: read for read in trailing}
        if len(values) > 1 or "params" not in gathered.read:
            texts = " and ".join(read.text for read in values.values())
            why = f"{texts} may be parameters or tokens"
            gathered.unsure.setdefault("params", why)
            gathered.unsure.setdefault("tokens", why)
        elif "tokens" not in gathered.read and "tokens" not in gathered.unsure:
            gathered.read["tokens"] = next(iter(values.values()))
        return


def _mixture(gathered: _Gathered, parts: Iterable[_Part]) -> None:
    """Of a mixture of experts a name's number may be all parameters or those that work on one token."""
    text = next((part.mixture for part in parts if part.mixture), None)
    if text is not None:
        gathered.read.pop("params", None)
        gathered.unsure["params"] = (
            f"{text}: a mixture of experts, whose FLOPs are not 6 times all parameters times tokens"
        )


def _later_stage(gathered: _Gathered, parts: Iterable[_Part]) -> None:
    """Tokens and steps that a later stage counts may leave out those before it."""
    for part in parts:
        for match in STAGE.finditer(part.text):
            if int(match["n"]) > 1:
                gathered.read.pop("tokens", None)
                gathered.unsure["tokens"] = f"{match[0]} may not count the tokens of the stages before it"


def _bare_steps(parts: list[_Part]) -> None:
    """A folder named by a number alone is a step where the folder above it is one of checkpoints, else in doubt."""
    for above, part in zip([None, *parts], parts, strict=False):
        if not part.numeric or len(part.text) > 15:
            continue
        if above is not None and above.text.lower() in USUAL_FOLDERS:
            part.read["step"] = [Read(float(part.text), part.text)]
            part.spans.append((0, len(part.text)))
        else:
            part.unsure["step"] = f"{part.text} may be a step"


def _of_owner(path: str, parts: list[_Part]) -> None:
    """Of ``owner/model`` the owner tells nothing; of ``run/step-100`` the run does."""
    if len(parts) == 2 and not path.startswith(("/", ".", "~", "\\")) and parts[1].without_checkpoint():
        parts[0].read.clear()
        parts[0].unsure.clear()
        parts[0].trillions, parts[0].after_step, parts[0].mixture = [], None, None


def _run(name: str, parts: list[_Part], at: _Part | None) -> str:
    """The innermost part that is more than a checkpoint's or a folder's usual name, and what else a revision says."""
    run = next((text for part in reversed(parts) if (text := _meaning(part))), None) or name
    if at is None:
        return run
    rest = re.sub(r"[-_. ]{2,}", "-", STAGE.sub(lambda m: "" if int(m["n"]) == 1 else m[0], at.without_checkpoint()))
    rest = rest.strip("-_. ")
    if rest.lower() in USUAL_FOLDERS or rest == run or not rest:
        return run
    return f"{run}@{rest}"


def _meaning(part: _Part) -> str:
    text = part.without_checkpoint()
    if HASH.fullmatch(text) and len(text) == 40:
        return ""
    words = [word for word in re.split(r"[-_. ]", text) if word]
    return "" if all(word.lower() in USUAL_FOLDERS for word in words) else text


def _read(match: re.Match[str]) -> Read:
    groups = match.groupdict()
    return Read(_scaled(groups["n"], groups.get("u") or ""), match[0])


def _scaled(digits: str, unit: str) -> float:
    """Digits times a unit, without the dust of 1.1 · 1e9 in floating point."""
    exponent = {"": 0, "k": 3, "m": 6, "b": 9, "t": 12}[unit.lower()]
    mantissa, _, power = digits.lower().partition("e")
    return float(f"{mantissa}e{int(power or 0) + exponent}")
