"""Which model a result belongs to: a name alone does not tell.

The same name may be scored at several revisions, in 16 and in 4 bits, with and without an adapter or a chat template;
every one of these is a model of its own. ``Identity`` holds all that the results state of it, ``display_names`` gives
every identity of a folder a name that no other has, and ``names`` lists the ways ``ladder.yaml`` may say it.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ....core import reading

MAIN = ("", "main", "master")
SNAPSHOT = re.compile(r"(?:^|/)models--(?:([^/]+?)--)?([^/]+)/snapshots/([0-9a-f]{40})/?$")
MODEL_KEYS = ("peft", "delta", "pretrained", "model", "path", "engine")  # in lm-eval's order

# Arguments that say how a model was run, not which model it was or what it was asked.
RUNNING = frozenset(
    {
        "batch_size",
        "max_batch_size",
        "device",
        "devices",
        "device_map",
        "device_map_option",
        "parallelize",
        "max_memory_per_gpu",
        "max_cpu_memory",
        "offload_folder",
        "offload_state_dict",
        "trust_remote_code",
        "use_fast_tokenizer",
        "use_fast",
        "cache_dir",
        "token",
        "use_auth_token",
        "low_cpu_mem_usage",
        "attn_implementation",
        "logits_cache",
        "use_cache",
        "no_cache",
        "tensor_parallel_size",
        "data_parallel_size",
        "pipeline_parallel_size",
        "gpu_memory_utilization",
        "swap_space",
        "seed",
        "num_concurrent",
        "max_retries",
        "timeout",
        "base_url",
        "api_key",
        "tokenized_requests",
        "tokenizer_backend",
        "verify_certificate",
        "enforce_eager",
        "distributed_executor_backend",
        "disable_custom_all_reduce",
        "disable_log_stats",
        "download_dir",
        "load_format",
        "max_num_seqs",
        "max_num_batched_tokens",
        "enable_prefix_caching",
        "nnodes",
        "node_rank",
        "local_files_only",
        "subprocess",
        "gpus",
        "mp_size",
        "use_safetensors",
        "progress_bar",
    }
)
DTYPES = {
    "float": "float32",
    "fp32": "float32",
    "half": "float16",
    "fp16": "float16",
    "bf16": "bfloat16",
    "double": "float64",
    "auto": "",
}
UNSTATED = ("model_sha", "peft_sha", "delta_sha", "dtype")  # may be left unsaid without being another


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A model as the results state it; ``facts`` are (key, value) of all that makes it another than its name says."""

    name: str  # what lm-eval calls it: the adapter of an adapted model
    base: str  # the pretrained model
    revision: str
    facts: tuple[tuple[str, str], ...]
    tokenizer: str = ""
    template: str = ""
    params: float | None = None
    args: tuple[tuple[str, str], ...] = ()

    def fact(self, key: str) -> str:
        """The value of one fact; empty when the results do not state it."""
        return dict(self.facts).get(key, "")

    @property
    def key(self) -> tuple[str, str, str, tuple[tuple[str, str], ...]]:
        """Equal for equal models."""
        return self.name, self.base, self.revision, self.facts

    @property
    def with_revision(self) -> str:
        """``name@revision``; the name alone on the main branch."""
        return f"{self.name}@{self.revision}" if self.revision not in MAIN else self.name

    @property
    def dtype(self) -> str:
        """Precision and quantisation of the weights, as text."""
        kept = ("load_in", "quant", "gptq", "awq", "bnb", "gguf", "bits")
        quantised = [f"{key}={value}" for key, value in self.facts if any(word in key.lower() for word in kept)]
        return " ".join(filter(None, (self.fact("dtype"), *quantised)))


def arguments(given: Any) -> dict[str, str]:
    """The model arguments as text by name, from a mapping or from the command line's ``a=1,b=2``."""
    if isinstance(given, str) and given.lstrip().startswith("{"):
        try:
            given = json.loads(given)
        except ValueError:
            return {}
    if isinstance(given, Mapping):
        return {str(key): text(value) for key, value in given.items()}
    pairs = (part.partition("=") for part in str(given or "").split(","))
    return {key.strip(): value.strip().strip("\"'") for key, _, value in pairs if key.strip()}


def identity_of(content: Mapping[str, Any]) -> Identity:
    """The model that a result file of lm-eval is about."""
    config = content.get("config")
    config = config if isinstance(config, Mapping) else {}
    args = arguments(config.get("model_args"))
    stated = {key: args[key] for key in MODEL_KEYS if args.get(key)}
    base = next((stated[key] for key in MODEL_KEYS[2:] if key in stated), "")
    named = text(config.get("model"))  # a backend such as hf, or the path of a model that was given as an object
    name = text(content.get("model_name")) or next(iter(stated.values()), named if "/" in named else "")
    facts: dict[str, str] = {key: stated[key] for key in ("peft", "delta") if key in stated and stated[key] != name}
    facts |= {key: text(config.get(key)) for key in ("model_sha", "peft_sha", "delta_sha")}
    facts["dtype"] = text(config.get("model_dtype")) or args.get("dtype", "")
    return made(
        name,
        base or name,
        args.get("revision") or text(config.get("model_revision")),
        facts,
        args,
        tokenizer=_tokenizer(content, args),
        template=template_of(content),
        params=_params(config),
    )


def models_asked_for(args: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """The models that the arguments name: adapter, pretrained model and so on; what lm-eval takes its name from."""
    return tuple(_hub_name(value)[0] for key, value in args if key in MODEL_KEYS and value)


def made(
    name: str,
    base: str,
    revision: str,
    facts: Mapping[str, str],
    args: Mapping[str, str],
    *,
    tokenizer: str,
    template: str,
    params: float | None = None,
) -> Identity:
    """An identity from what is stated of it; of the arguments only those count that make it another model."""
    # JSON may hold half of a character, which no ladder.yaml can: it is spelled.
    name, base, revision = (t.encode("utf-8", "backslashreplace").decode() for t in (name, base, revision))
    name, snapshot = _hub_name(name)
    base, _ = _hub_name(base)
    revision = snapshot if revision in MAIN and snapshot else revision
    aside = RUNNING | {*MODEL_KEYS, "revision", "dtype"}
    counted = {key: value for key, value in args.items() if key not in aside and not _unset(value)}
    counted |= dict(facts) | {"dtype": dtype(facts.get("dtype", "")), "chat_template": template}
    return Identity(
        name=name,
        base=base,
        revision="" if revision in MAIN else revision,
        facts=tuple(sorted((key, value) for key, value in counted.items() if value)),
        tokenizer=tokenizer,
        template=template,
        params=params,
        args=tuple(sorted(args.items())),
    )


def _hub_name(name: str) -> tuple[str, str]:
    """``org/m`` (or ``m``) and the hash for a folder of the Hugging Face cache; other names as they are, no hash."""
    match = SNAPSHOT.search(name)
    return ("/".join(filter(None, (match[1], match[2]))), match[3]) if match else (name, "")


def dtype(given: str) -> str:
    """A precision by its usual name; empty for ``auto``, which does not tell."""
    short = given.removeprefix("torch.").strip().lower()
    return DTYPES.get(short, short)


def template_of(content: Mapping[str, Any]) -> str:
    """A short digest of the chat template and system instruction that questions were put in; empty without them."""
    parts = []
    if sha := sha_of(content, "chat_template"):
        turns = "+turns" if content.get("fewshot_as_multiturn") in (True, "True", "true") else ""
        parts.append(sha + turns)
    elif content.get("apply_chat_template") not in (None, False, "", "False", "false"):
        parts.append("applied")
    if sha := sha_of(content, "system_instruction"):
        parts.append(f"system:{sha}")
    return "+".join(parts)


def unified(identities: Iterable[Identity]) -> dict[Identity, Identity]:
    """Identities with what they leave unsaid filled in from the others.

    A hash or a precision that one file states and another does not makes no other model, as long as all that state it
    agree.
    """
    given = list(dict.fromkeys(identities))
    stated: dict[Any, dict[str, set[str]]] = {}
    for one in given:
        group = stated.setdefault(_without(one, UNSTATED).key, {key: set() for key in UNSTATED})
        for key in UNSTATED:
            group[key] |= {one.fact(key)} - {""}
    by_identity = {}
    for one in given:
        agreed = {key: values for key, values in stated[_without(one, UNSTATED).key].items() if len(values) == 1}
        facts = dict(one.facts) | {key: next(iter(values)) for key, values in agreed.items()}
        by_identity[one] = replace(one, facts=tuple(sorted(facts.items())))
    return by_identity


def display_names(identities: Iterable[Identity]) -> dict[Any, str]:
    """A name for every identity, by its ``key``: ``name@revision``, and what else it takes to tell them apart."""
    groups: dict[str, dict[Any, Identity]] = {}
    for one in identities:
        groups.setdefault(one.with_revision, {})[one.key] = one
    names = {}
    for name, group in groups.items():
        differing = [key for key, _ in differences(list(group.values()))]
        for key, one in group.items():
            particulars = ", ".join(f"{fact}={_short(one.fact(fact))}" for fact in differing if one.fact(fact))
            names[key] = f"{name} ({particulars})" if particulars else name
    return names


def differences(identities: Sequence[Identity]) -> list[tuple[str, list[str]]]:
    """What tells identities apart: the name of each differing fact, with every one's value ('' when not stated)."""
    columns = {"model": [one.name for one in identities], "revision": [one.revision or "main" for one in identities]}
    if any(one.base != one.name for one in identities):
        columns["pretrained"] = [one.base for one in identities]
    for key in dict.fromkeys(key for one in identities for key, _ in one.facts):
        columns[key] = [one.fact(key) for one in identities]
    return [(key, values) for key, values in columns.items() if len(set(values)) > 1]


def plain_names(identity: Identity, *others: str) -> tuple[str, ...]:
    """The ways to say a model without its revision: as given, without trailing slashes, the path's last part."""
    names: list[str] = []
    adapted = identity.base != identity.name  # the base's name alone would take an adapted model for the base
    for name in (identity.name, *(() if adapted else (identity.base,)), *others):
        names += [name, name.rstrip("/"), name.rstrip("/") + "/", Path(name).name]
    return tuple(dict.fromkeys(name for name in names if name and name != "/"))


def explicit_names(identity: Identity, display: str) -> tuple[str, ...]:
    """The ways to say a model with its revision or hash, most explicit first."""
    given = dict(identity.args)
    path = next((given[key] for key in MODEL_KEYS if given.get(key)), "")
    names = [display, *([path] if SNAPSHOT.search(path) else [])]
    for name in plain_names(identity):
        names += [f"{name}@{mark}" for mark in (identity.revision or "main", identity.fact("model_sha")) if mark]
    return tuple(dict.fromkeys(names))


def _without(one: Identity, keys: Sequence[str]) -> Identity:
    return replace(one, facts=tuple(pair for pair in one.facts if pair[0] not in keys))


def _short(value: str) -> str:
    return value[:12] if len(value) == 40 and all(c in "0123456789abcdef" for c in value) else value


def text(value: Any) -> str:
    """A stated value as text, the same for equal ones; empty for none."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True) if _deep(value) else str(value)


def _deep(value: Any) -> bool:
    return isinstance(value, Mapping | list)


def _unset(value: str) -> bool:
    return value.strip().lower() in ("", "none", "false", "null", "{}", "[]")


def sha_of(content: Mapping[str, Any], key: str) -> str:
    """The digest that lm-eval states of a text, or else the text's own: the same, SHA-256 of its UTF-8."""
    stated, full = content.get(f"{key}_sha"), content.get(key)
    if not stated and full:
        stated = hashlib.sha256(text(full).encode("utf-8", "surrogatepass")).hexdigest()
    return str(stated)[:12] if stated else ""


def _tokenizer(content: Mapping[str, Any], args: Mapping[str, str]) -> str:
    """What the results state of the tokenizer: its first and last token. The padding is the caller's, not its own."""
    parts = [args["tokenizer"]] if args.get("tokenizer") else []
    for mark in ("bos", "eos"):
        given = content.get(f"tokenizer_{mark}_token")
        if isinstance(given, list) and len(given) == 2 and given[0] is not None:
            parts.append(f"{mark} {given[0]} {given[1]}")
    return ", ".join(parts)


def _params(config: Mapping[str, Any]) -> float | None:
    value = reading.number(config.get("model_num_parameters"))
    return value if 0 < value < math.inf else None
