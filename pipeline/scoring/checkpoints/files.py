"""What a checkpoint folder holds, read without torch: content digest, tokenizer identity, completeness of the files.

A checkpoint is a folder with Hugging Face's ``config.json``, ``*.safetensors`` and tokenizer files. Nothing is
unpickled, no code from a folder is run, and nothing is fetched from a hub. lm-eval scores a model with missing tensors
or NaN weights without a word; what can be known from the files is refused here, the rest in ``model``.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core import reading
from ...core.digest import file_digest, object_digest
from ...core.errors import CheckpointError, UnreadableError

TOKENIZER_FILES = ("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "*.model")
SUMS = "SHA256SUMS"  # as `sha256sum *.safetensors > SHA256SUMS` writes it
# Keys of config.json that say nothing about the computation.
ABOUT_ITSELF = ("_name_or_path", "transformers_version", "torch_dtype", "dtype", "architectures", "use_cache")
# Of tokenizer_config.json: where it came from, and how chats are written.
NOT_TOKEN_IDS = ("name_or_path", "tokenizer_file", "special_tokens_map_file", "chat_template", "transformers_version")
# Read beside the weights: a change of one of them means that somebody writes the checkpoint.
BESIDE = ("config.json", "model.safetensors.index.json", "benchcast.json", "trainer_state.json", "adapter_config.json")
GENERATION_CONFIG = "generation_config.json"
MOST_TOKENIZER = 256 << 20  # bytes of a tokenizer.json; the largest known has some 40 MB
Hash = Callable[[Path], str]
Signature = tuple[tuple[object, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Files:
    """The files that decide a checkpoint's scores, and where its tokenizer lies."""

    folder: Path
    weights: tuple[Path, ...]
    tokenizer_files: tuple[Path, ...]

    @property
    def tokenizer_folder(self) -> Path:
        """The folder that ``AutoTokenizer`` is given."""
        return self.tokenizer_files[0].parent if self.tokenizer_files else self.folder

    @property
    def config(self) -> dict[str, Any]:
        """``config.json``.

        Raises
        ------
        CheckpointError
            When it is missing or no JSON object.
        """
        path = self.folder / "config.json"
        if not path.is_file():
            raise CheckpointError("has no config.json; a checkpoint is a folder that save_pretrained wrote")
        return read_json(path)


def files_of(folder: Path, tokenizer: Path | None = None) -> Files:
    """The files of a folder; ``tokenizer`` is a folder to take the tokenizer from instead."""
    home = tokenizer or folder
    names = {p for pattern in TOKENIZER_FILES for p in home.glob(pattern) if p.is_file()}
    return Files(folder=folder, weights=_weights(folder), tokenizer_files=tuple(sorted(names)))


def _weights(folder: Path) -> tuple[Path, ...]:
    """The files that transformers reads: one file, or the shards of the index; not whatever else lies there."""
    whole, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if whole.is_file() or not index.is_file():
        return (whole,) if whole.is_file() else ()
    return tuple(path for name in _shards(index) if (path := folder / name).is_file())


def _shards(index: Path) -> list[str]:
    """Names of the shards that an index lists; empty when it cannot be read (``unfinished`` says so)."""
    try:
        listed = read_json(index).get("weight_map")
    except CheckpointError:
        return []
    return sorted({Path(str(name)).name for name in listed.values()}) if isinstance(listed, dict) else []


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of the checkpoint.

    Raises
    ------
    CheckpointError
        When it cannot be read or is not an object.
    """
    most = {"tokenizer.json": MOST_TOKENIZER, "config.json": reading.MOST_CONFIG}.get(path.name, reading.MOST_RESULT)
    try:
        content = reading.json_of(reading.data(path, most))
    except UnreadableError as error:
        raise CheckpointError(f"{path.name} {error}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path.name} is not a JSON object")
    return content


def read_beside(path: Path) -> dict[str, Any]:
    """A JSON object that a checkpoint may have: empty where there is no such file; raises as ``read_json`` does."""
    return read_json(path) if os.path.lexists(path) else {}


def signature(files: Files) -> Signature:
    """What changes when somebody writes the checkpoint again: names, inodes, times and sizes of its files."""
    here = files.folder
    now = files_of(here, None if files.tokenizer_folder == here else files.tokenizer_folder)

    def about(path: Path) -> tuple[object, ...]:
        try:
            status = path.stat()
        except OSError:
            return os.fspath(path), "gone"
        # The time of the last change of any kind too: copying tools set the other one back.
        return os.fspath(path), status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size

    return tuple(map(about, (*now.weights, *now.tokenizer_files, *(here / name for name in BESIDE))))


def still(files: Files, content: str) -> bool:
    """Whether the files, read again, have this content digest; for when their times say that they may not."""
    home = None if files.tokenizer_folder == files.folder else files.tokenizer_folder
    try:
        return digest(files_of(files.folder, home), file_digest) == content
    except OSError:
        return False


def digest(files: Files, file_hash: Hash) -> str:
    """SHA-256 over the contents of weights, index, config and tokenizer; independent of where the folder lies.

    Whatever is there counts, so a broken folder has a digest too, and another one once it is mended.
    """
    index = sorted(files.folder.glob("*.safetensors.index.json"))
    config = [p for p in (files.folder / "config.json",) if p.is_file()]
    total = hashlib.sha256()
    for path in [*files.weights, *index, *config, *files.tokenizer_files]:
        total.update(os.fsencode(path.name) + f"\0{file_hash(path)}\0".encode())
    return total.hexdigest()


def generation_digest(files: Files) -> str:
    """Hash of the checkpoint's defaults of generation, which decide what it writes and nothing else; empty for none."""
    path = files.folder / GENERATION_CONFIG
    try:
        content = read_json(path)
    except CheckpointError:
        return file_digest(path) if path.is_file() else ""
    return object_digest({k: v for k, v in content.items() if k not in ("transformers_version", "_from_model_config")})


def tokenizer_digest(files: Files, file_hash: Hash) -> str:
    """Identity of the tokenizer: what decides the token ids, not how the files are formatted."""
    path = next((p for p in files.tokenizer_files if p.name == "tokenizer.json"), None)
    if path is None:
        return object_digest([[p.name, file_hash(p)] for p in files.tokenizer_files])
    settings = next((read_json(p) for p in files.tokenizer_files if p.name == "tokenizer_config.json"), {})
    decides = {k: v for k, v in settings.items() if k.startswith("add_") or k.endswith("_token")}
    content = read_json(path)
    return object_digest([{k: v for k, v in content.items() if k not in ("truncation", "padding", "version")}, decides])


def token_ids_digest(files: Files, file_hash: Hash) -> str:
    """Hash of everything that may decide token ids: tokenizers that share it give the same ids.

    Stricter than ``tokenizer_digest``, which says whether two checkpoints carry what counts as one tokenizer.
    """
    parts: list[object] = []
    for path in files.tokenizer_files:
        if path.name == "tokenizer.json":
            content = read_json(path)
            parts.append({k: v for k, v in content.items() if k not in ("truncation", "padding", "version")})
        elif path.name == "tokenizer_config.json":
            parts.append({k: v for k, v in read_json(path).items() if k not in NOT_TOKEN_IDS})
        else:
            parts.append([os.fsencode(path.name).hex(), file_hash(path)])
    return object_digest(parts)


def unfinished(files: Files) -> str:
    """Why the folder cannot be a whole checkpoint yet, or empty: missing files or shards, a file cut short.

    Raises
    ------
    CheckpointError
        When a file is there and cannot be read.
    """
    if odd := _no_file(files):
        return odd
    if not (files.folder / "config.json").is_file():
        return "has no config.json; a checkpoint is a folder that save_pretrained wrote"
    _ = files.config  # raises for what is not JSON
    if os.path.lexists(files.folder / "adapter_config.json"):  # transformers would load it too, or not, as it can
        return "holds an adapter (adapter_config.json); merge it into the weights"
    index = files.folder / "model.safetensors.index.json"
    if index.is_file():  # beside a model.safetensors too: which of the two is meant, nobody knows
        shards = _shards(index)
        if not shards:
            return f"{index.name} lists no shards"
        if missing := [name for name in shards if not (files.folder / name).is_file()]:
            return f"lacks the shard {missing[0]}" + (f" and {len(missing) - 1} more" if len(missing) > 1 else "")
    if not files.weights:
        pickled = sorted(p.name for pattern in ("*.bin", "*.pt", "*.pth") for p in files.folder.glob(pattern))
        why = f"{pickled[0]} is a pickle, which is not read" if pickled else "write the weights with save_pretrained"
        return f"has no model.safetensors ({why})"
    for path in files.weights:
        if problem := _cut_short(path):
            return f"{path.name} {problem}"
    if not files.tokenizer_files:
        return "has no tokenizer files; write them with tokenizer.save_pretrained, or set score.tokenizer"
    return ""


def _no_file(files: Files) -> str:
    """Which of the names that a checkpoint's files have is none: a FIFO, a device, a broken link; or empty."""
    names = [files.folder / name for name in (*BESIDE, "model.safetensors", SUMS)]
    of_tokenizer = [path for pattern in TOKENIZER_FILES for path in sorted(files.tokenizer_folder.glob(pattern))]
    for path in dict.fromkeys([*names, *of_tokenizer]):
        # A folder, such as one that is called tokenizer, is nobody's file.
        if os.path.lexists(path) and not os.path.isfile(path) and not os.path.isdir(path):
            try:
                reading.check(path)
            except UnreadableError as error:
                return f"{path.name} {error}" if str(error).startswith("is ") else f"{path.name}: {error}"
    return ""


def tensors(files: Files) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Name to (dtype, shape) of every tensor in the weights' headers."""
    held = {}
    for path in files.weights:
        for name, tensor in _header(path).items():
            if name != "__metadata__":
                held[name] = (str(tensor["dtype"]), tuple(int(n) for n in tensor["shape"]))
    return held


def check_recorded(files: Files, file_hash: Hash) -> None:
    """Compare the files with the digests recorded beside them in ``SHA256SUMS``, where there is one.

    Raises
    ------
    CheckpointError
        For a file that is not what was recorded.
    """
    path = files.folder / SUMS
    if not path.is_file():
        return
    try:
        lines = reading.data(path, reading.MOST_CONFIG).decode("utf-8", "surrogateescape").split("\n")
    except UnreadableError as error:
        raise CheckpointError(f"{SUMS} {error}") from error
    for line in lines:
        recorded, _, name = line.strip().partition(" ")
        file = files.folder / name.strip().lstrip("*")
        if not name or "\0" in name or file.parent != files.folder or not file.is_file():
            continue
        if file_hash(file) != recorded.lower():
            raise CheckpointError(f"{file.name} is not the file whose digest {SUMS} records; restore it")


def odd_ones(tokenizers: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    """Checkpoints whose tokenizer is not the one their family uses: (source, family, tokenizer) to source: reason.

    A wrong tokenizer of the right size scores without an error. Checkpoints of one family are trained on the same
    tokens, so the tokenizer that most of them carry is theirs; of equally many, the first one found.
    """
    families: dict[str, dict[str, list[str]]] = {}
    for source, family, tokenizer in tokenizers:
        families.setdefault(family, {}).setdefault(tokenizer, []).append(source)
    odd = {}
    for family, carried in families.items():
        usual = max(carried, key=lambda name: len(carried[name]))
        for tokenizer, sources in carried.items():
            if tokenizer != usual:
                why = (
                    f"its tokenizer is not that of {carried[usual][0]}, of the same family {family!r}: "
                    "put the right one there, or give it a family of its own"
                )
                odd.update(dict.fromkeys(sources, why))
    return odd


def _header(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 0 < length <= min(path.stat().st_size - 8, 100_000_000):
            raise ValueError("is not a safetensors file, or is cut short")
        try:
            header = json.loads(file.read(length))
        except RecursionError:
            raise ValueError("has a header of safetensors that is nested too deep") from None
    if not isinstance(header, dict):
        raise ValueError("has no safetensors header")
    return header


def _cut_short(path: Path) -> str:
    """What is wrong with the file's header and size, or empty."""
    try:
        header = _header(path)
        ends = [int(tensor["data_offsets"][1]) for name, tensor in header.items() if name != "__metadata__"]
        with path.open("rb") as file:
            start = 8 + struct.unpack("<Q", file.read(8))[0]
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, AttributeError, OSError) as error:
        return str(error) if "safetensors" in str(error) else "has a broken header"
    size, end = path.stat().st_size, start + max(ends, default=0)
    return "" if size == end else f"has {size} bytes where its header tells of {end}"
