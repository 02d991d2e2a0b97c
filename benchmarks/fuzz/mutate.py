"""Mutations of bytes, lines, cells and keys that know nothing of what a file means."""

from __future__ import annotations

import copy
import csv
import io
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import yaml

ESCAPES = "\x1b[2J\x1b]0;title\x07"
HOSTILE: tuple[Any, ...] = (
    None,
    True,
    False,
    "",
    " ",
    "x",
    -1,
    0,
    1,
    3,
    0.5,
    -0.0,
    1e-300,
    1e300,
    1e308,
    10**30,
    10**400,
    float("nan"),
    float("inf"),
    float("-inf"),
    [],
    {},
    [[]],
    [None],
    {"": {}},
    {"a": 1},
    ["a", 1],
    "1e3",
    "nan",
    "None",
    "N/A",
    "12,000",
    "31.2%",
    "0,312",
    "1.3B",
    "0x10",
    "１２",
    "\u2028",
    "a\u2028b",
    "\x00",
    ESCAPES,
    "é" * 300,
    "w" * 100_000,
    "../../etc",
    "a\nb",
    "-",
    "*",
    "[",
    "=cmd()",
    "2024-13-45",
    "\ud800",
    "org/m-1B",
    "quiz",
    "acc,none",
)
CELLS = (
    "",
    " ",
    "x",
    "nan",
    "NaN",
    "inf",
    "-inf",
    "-1",
    "0",
    "1e400",
    "1e300",
    "12,000",
    "31.2%",
    "0,312",
    "1.3B",
    "1_000",
    "0x10",
    "007",
    "True",
    "None",
    "１２",
    "a\u2028b",
    "\x00",
    ESCAPES,
    "é" * 300,
    "w" * 100_000,
    "'",
    '"',
    '""',
    "=1+1",
    "1 2",
    "NA",
    "null",
    "#N/A",
    "1e-320",
    "9" * 400,
    "\ud800",
    "- ",
    "+5",
    "5.",
    ".5",
    "5e",
    "acc",
    "nll",
)
Mutation = Callable[[bytes, random.Random], bytes]


def _bits(data: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 4, 64))):
        if out:
            out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _hole(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data) + 1)
    return data[:start] + data[start + rng.randrange(1, 200) :]


def _twice(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data) + 1)
    return data[:start] + data[start : start + rng.randrange(1, 400)] + data[start:]


INSERTED = (
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\r",
    b"\n",
    b",",
    b'"',
    b"{",
    b"}",
    b"[",
    b"&a",
    b"*a",
    b"NaN",
    b"-",
    b": ",
    b"# ",
    b"!!python/object:os.system ",
    b"\x1b[31m",
    "\u2028".encode(),
    b"\xed\xa0\x80",
    b"\t",
    b"9" * 50,
)


def _insert(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data) + 1)
    return data[:start] + rng.choice(INSERTED) + data[start:]


def _whole(data: bytes, rng: random.Random) -> bytes:
    """The file in another encoding, or something else altogether."""
    text = data.decode("utf-8", "replace")
    deep = rng.choice((100, 5000, 200_000))
    return rng.choice(
        (
            lambda: b"",
            lambda: b"\n",
            lambda: b"\xef\xbb\xbf" + data,
            lambda: text.encode("utf-16"),
            lambda: text.encode("utf-32"),
            lambda: data.upper(),
            lambda: data.replace(b'"', b"'"),
            lambda: text.replace("m", "é").encode("latin-1", "replace"),
            lambda: data.replace(b"\n", b"\r\n"),
            lambda: data.replace(b"\n", b"\r"),
            lambda: data.replace(b",", b";"),
            lambda: data.replace(b",", b"\t"),
            lambda: data.replace(b".", b","),
            lambda: b"\x1f\x8b\x08" + data,
            lambda: b"PAR1" + data,
            lambda: b"\x00" * 1000,
            lambda: b"[" * deep,
            lambda: b'{"a":' * deep,
            lambda: b"[" * deep + b"]" * deep,
            lambda: b"- " * deep,
            lambda: data * 2,
            lambda: data * 50,
            lambda: b"null",
            lambda: b"[]",
            lambda: b"{}",
            lambda: b"3",
            lambda: b'"x"',
            lambda: b"x\n" * 1000,
            lambda: (
                b"a: &a [x,x,x,x,x,x,x,x,x]\n"
                + b"".join(
                    b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(ord("b"), ord("j"))
                )
            ),
            lambda: b"#" + data,
            lambda: b"---\n" + data + b"\n---\n" + data,
        )
    )()


def _lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    if not lines:
        return data
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    what = rng.randrange(6)
    if what == 0:
        lines.insert(j, lines[i])
    elif what == 1:
        del lines[i]
    elif what == 2:
        lines[i], lines[j] = lines[j], lines[i]
    elif what == 3:
        lines[i] = b"\n"
    elif what == 4:
        lines += lines[min(i, j) :]
    else:
        rng.shuffle(lines)
    return b"".join(lines)


def paths(node: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every value of nested lists and mappings lies."""
    if at:
        yield at
    if isinstance(node, dict):
        for key, value in node.items():
            yield from paths(value, (*at, key))
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from paths(value, (*at, i))


def parent(node: Any, at: tuple[Any, ...]) -> Any:
    for part in at[:-1]:
        node = node[part]
    return node


def _changed(content: Any, rng: random.Random) -> Any:
    """One value replaced, dropped, renamed, doubled, moved, or written as another type."""
    content = copy.deepcopy(content)
    places = list(paths(content))
    if not places:
        return rng.choice(HOSTILE)
    for _ in range(rng.choice((1, 1, 1, 3))):
        at = rng.choice(places)
        try:
            node = parent(content, at)
            value = node[at[-1]]
            what = rng.randrange(8)
            if what <= 2:
                node[at[-1]] = rng.choice(HOSTILE)
            elif what == 3:
                del node[at[-1]]
            elif what == 4 and isinstance(node, dict):
                node[rng.choice(("", "x", "\u2028", ESCAPES, "acc,none", "__proto__", "all", "é" * 100, "007"))] = (
                    node.pop(at[-1])
                )
            elif what == 5:
                node[at[-1]] = str(value) if isinstance(value, int | float) else [value]
            elif what == 6:
                other = rng.choice(places)
                node[at[-1]] = copy.deepcopy(parent(content, other)[other[-1]])
            elif isinstance(value, int | float) and not isinstance(value, bool):
                node[at[-1]] = value * rng.choice((1e-9, 1e-6, 1e-3, 100, 1e3, 1e6, 1e9, -1))
            elif isinstance(node, list):
                node += node
        except (KeyError, IndexError, TypeError):
            continue
    return content


def _json(data: bytes, rng: random.Random) -> bytes:
    try:
        if b"}\n{" in data:  # a document a line
            lines = data.splitlines()
            i = rng.randrange(len(lines))
            lines[i] = json.dumps(_changed(json.loads(lines[i]), rng)).encode()
            return b"\n".join(lines) + b"\n"
        changed = json.dumps(_changed(json.loads(data), rng), indent=rng.choice((None, 1)))
    except ValueError:
        return _bits(data, rng)
    return _key_twice(changed, rng).encode() if rng.random() < 0.1 else changed.encode()


def _key_twice(text: str, rng: random.Random) -> str:
    """A key of some object a second time, with another value."""
    starts = [i for i, c in enumerate(text) if c == '"' and text[i - 1 : i] in (" ", "{")]
    if not starts:
        return text
    at = rng.choice(starts)
    key = text[at : text.find('"', at + 1) + 1]
    return f"{text[:at]}{key}: {rng.choice(('1', 'null', '0.5', '[]'))}, {text[at:]}"


def _yaml(data: bytes, rng: random.Random) -> bytes:
    try:
        changed = _changed(yaml.safe_load(data), rng)
        return yaml.safe_dump(changed, sort_keys=False, allow_unicode=rng.random() < 0.5).encode(
            "utf-8", "surrogatepass"
        )
    except (yaml.YAMLError, ValueError):
        return _bits(data, rng)


def _csv(data: bytes, rng: random.Random) -> bytes:
    rows = list(csv.reader(io.StringIO(data.decode())))
    for _ in range(rng.choice((1, 1, 1, 3))):
        what, i = rng.randrange(10), rng.randrange(len(rows))
        j = rng.randrange(max(len(rows[i]), 1))
        if not rows[i]:
            continue
        if what <= 2:
            rows[i][j] = rng.choice(CELLS)
        elif what == 3:
            rows = [row[:j] + row[j + 1 :] for row in rows]
        elif what == 4:
            rows = [[*row, *row[j : j + 1]] for row in rows]
        elif what == 5 and rows[0]:
            rows[0][min(j, len(rows[0]) - 1)] = rng.choice((*CELLS, *rows[0]))
        elif what == 6:
            rows[i] = rows[i][:j] if rng.random() < 0.5 else rows[i] + ["1"] * rng.randrange(1, 5)
        elif what == 7:
            rows.insert(i, rng.choice((rows[0], rows[i], [], ["x"])))
        elif what == 8:
            k = rng.randrange(len(rows[i]))
            for row in rows:
                if max(j, k) < len(row):
                    row[j], row[k] = row[k], row[j]
        else:
            cell = rng.choice(CELLS)
            rows = [rows[0], *[[cell if at == j else value for at, value in enumerate(row)] for row in rows[1:]]]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


BYTES: tuple[Mutation, ...] = (_bits, _cut, _hole, _twice, _insert, _whole, _lines)
STRUCTURE: dict[str, Mutation] = {".json": _json, ".jsonl": _json, ".yaml": _yaml, ".csv": _csv}
FOLDER, FIFO, LOOP, DANGLING, GONE, DEVICE = (b"<folder>", b"<fifo>", b"<loop>", b"<dangling>", b"<gone>", b"<device>")
KINDS = (FOLDER, FIFO, LOOP, DANGLING, GONE, DEVICE)  # a file replaced by something that is none
