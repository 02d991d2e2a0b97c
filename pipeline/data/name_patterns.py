"""What numbers in the names of models look like: the patterns that ``model_names`` reads, clearest first.

Each has a group ``n`` for the digits and mostly ``u`` for the unit. The names are those of public checkpoints
(Pythia, OLMo, TinyLlama, Amber, BabyLM and others).
"""

from __future__ import annotations

import re

_START, _END = r"(?<![A-Za-z0-9.])", r"(?![A-Za-z0-9]|\.\d)"
_N = r"\d{1,15}(?:\.\d{1,9})?"
_TOKEN, _JOIN = r"(?:tokens?|toks?)", r"[-_= ]?"


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


# Numbers that tell none of the quantities, so that no later pattern takes them for one.
OTHER_NUMBERS = [
    _compiled(
        rf"(?<![A-Za-z])(?:ctx|context|seq|sequence|vocab|len|length|rope){_JOIN}(?:len|length|size)?{_JOIN}{_N}k?{_END}"
    ),
    _compiled(
        rf"{_START}{_N}[kmb]?{_JOIN}(?:ctx|context|vocab|seq(?:[-_]?len)?|docs?|samples?|examples?|words?|rows|lines|pairs|"
        rf"sentences?|sequences?|images|chars?|characters|bytes|params?-vocab)(?![A-Za-z])"
    ),
    _compiled(rf"(?<![A-Za-z])(?:seed|lr|wd){_JOIN}\d[\d.]*(?:e-?\d+)?"),
    _compiled(
        rf"(?<![A-Za-z])(?:warm-?up|save|eval|log|max|total|decay|accum\w*|grad\w*|inner|local)[-_]?"
        rf"(?:steps?|iters?){_JOIN}\d{{1,15}}[km]?{_END}"
    ),
]
# The same, of what differs from checkpoint to checkpoint of one run.
OF_CHECKPOINT = _compiled(
    rf"(?<![A-Za-z])(?:consumed[-_](?:train[-_])?samples|(?:val[-_]|train[-_])?loss|epochs?|ep){_JOIN}\d[\d.]*(?:e-?\d+)?"
)
BATCH = [
    _compiled(rf"{_START}(?P<n>{_N})(?P<u>[km]?)[-_]?{_TOKEN}[-_]?(?:bsz?|batch(?:[-_]?size)?|per[-_]?step){_END}"),
    _compiled(rf"(?<![A-Za-z])(?:g?bsz?|batch(?:[-_]?size)?){_JOIN}(?P<n>{_N})(?P<u>[km]?)[-_]?{_TOKEN}{_END}"),
    _compiled(rf"(?<![A-Za-z])(?:g?bsz?|batch(?:[-_]?size)?){_JOIN}(?P<n>{_N})(?P<u>m){_END}"),
    _compiled(rf"{_START}(?P<n>{_N})(?P<u>m)[-_]?(?:g?bsz?|batch){_END}"),
]
# Sequences a step, not tokens; or nobody can tell.
BATCH_OTHER = _compiled(
    rf"(?<![A-Za-z])(?:g?bsz?|batch(?:[-_]?size)?){_JOIN}{_N}k?{_END}|{_START}{_N}k?[-_]?(?:g?bsz?|batch){_END}"
)
BARE_TOKENS = rf"(?![-_ ]?{_TOKEN}(?![A-Za-z])(?!{_JOIN}\d))"  # what follows does not make a number one of tokens
STEP = [
    _compiled(
        rf"(?<![A-Za-z])(?:global[-_]?steps?|train[-_]?steps?|steps?|iter(?:ation)?s?|updates?){_JOIN}"
        rf"(?P<n>{_N})(?P<u>[km]?){_END}{BARE_TOKENS}"
    ),
    _compiled(rf"(?<![A-Za-z])(?:checkpoint|chkpt){_JOIN}(?P<n>\d{{1,15}})(?P<u>k?){_END}{BARE_TOKENS}"),
    _compiled(rf"(?<![A-Za-z])ba(?P<n>\d{{1,15}})(?P<u>){_END}"),  # Composer: batches
    _compiled(rf"{_START}(?P<n>{_N})(?P<u>[km]?){_JOIN}(?:steps|iters|iterations|updates){_END}"),
]
CKPT = _compiled(rf"(?<![A-Za-z])ckpt{_JOIN}(?P<n>\d{{1,15}})(?P<u>k?){_END}{BARE_TOKENS}")
FEWEST_CKPT_STEPS = 1000  # a ``ckpt`` of a smaller number may count checkpoints, not steps
TOKENS = [
    _compiled(rf"(?<![A-Za-z])(?:consumed[-_](?:train[-_])?)?{_TOKEN}{_JOIN}(?P<n>{_N})(?P<u>[kmbt]){_END}"),
    _compiled(rf"(?<![A-Za-z])consumed[-_](?:train[-_])?{_TOKEN}{_JOIN}(?P<n>{_N}(?:e\+?\d{{1,2}})?)(?P<u>){_END}"),
    _compiled(rf"(?<![A-Za-z]){_TOKEN}{_JOIN}(?P<n>\d{{6,15}}|\d(?:\.\d{{1,9}})?e\+?\d{{1,2}})(?P<u>){_END}"),
    _compiled(rf"{_START}(?P<n>{_N})(?P<u>[bt]){_JOIN}{_TOKEN}(?![A-Za-z])"),
    _compiled(rf"{_START}(?P<n>{_N})(?P<u>[bt])t{_END}"),  # 200bt
    _compiled(rf"(?<![A-Za-z0-9])D=(?P<n>{_N}(?:e\+?\d{{1,2}})?)(?P<u>[kmbt]?){_END}"),
]
# So few tokens may be those of a batch as well.
FEW_TOKENS = _compiled(rf"{_START}(?P<n>{_N})(?P<u>[km]){_JOIN}{_TOKEN}(?![A-Za-z])")
MOST_STEP_TOKENS = 64e6
PER_PARAMETER = [
    _compiled(rf"{_START}(?P<n>{_N})[-_]?tpp{_END}"),
    _compiled(rf"(?<![A-Za-z])tpp{_JOIN}(?P<n>{_N}){_END}"),
]
TIMES_CHINCHILLA = _compiled(rf"{_START}(?P<n>{_N})x(?:C|[-_]?chinchilla){_END}")
TIMES = _compiled(rf"{_START}(?P<n>{_N})x{_END}")
MIXTURE = re.compile(
    rf"{_START}\d{{1,4}}[xX]{_N}[BbMm]{_END}|(?<![A-Za-z0-9])[AaEe]{_N}[BbMm]{_END}|{_START}\d{{1,4}}E{_END}"
    r"|MoE|MOE|(?<![A-Za-z])moe(?![A-Za-z])|(?<![A-Za-z])[Mm]ixtral"
)
WORD_COUNT = _compiled(r"babylm")
N_IS = _compiled(rf"(?<![A-Za-z0-9])N=(?P<n>{_N}(?:e\+?\d{{1,2}})?)(?P<u>[kmbt]?){_END}")
SIZE_UNCLEAR = _compiled(rf"(?<![A-Za-z0-9.])\d_\d[bm]{_END}")
SIZE_INNER = _compiled(rf"{_START}(?P<n>\d{{1,4}})(?P<u>[bm])(?P<f>\d){_END}")  # 1b1: 1.1 billion
SIZE_POINT = _compiled(rf"{_START}(?P<n>\d{{1,4}})p(?P<f>\d{{1,3}})(?P<u>[bm]){_END}")  # 1p4b
SIZE = _compiled(rf"{_START}(?P<n>{_N})(?P<u>[kmbt]){_END}")
STAGE = _compiled(r"(?<![A-Za-z])(?:stage|phase)[-_]?(?P<n>\d{1,3})(?![0-9])")
CONTEXT_THOUSANDS = (
    {2**i for i in range(15)} | {round(2**i / 1000) for i in range(12, 21)} | {65, 100, 200, 1000}
)  # thousands of tokens that contexts have
HASH = re.compile(r"[0-9a-f]{7,40}")
USUAL_FOLDERS = {
    "checkpoints",
    "checkpoint",
    "ckpts",
    "ckpt",
    "models",
    "model",
    "hf",
    "unsharded",
    "main",
    "final",
    "last",
    "latest",
    "snapshots",
    "weights",
    "output",
    "outputs",
    "pt",
    "pth",
    "bin",
    "safetensors",
}
