"""Local tasks in the layouts of GSM8K, DROP, IFEval, TruthfulQA's second form and wikitext; and with several golds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from worlds import tiny_models

UTILS = """
import re

import numpy as np


def page(doc):
    return doc["page"].replace(" , ", ", ")


def drop(doc, results):
    given, wanted = set(results[0]), set(doc["answer"])
    return {"em": float(given == wanted), "f1": 2 * len(given & wanted) / (len(given) + len(wanted))}


def instructions(doc, results):
    followed = [len(results[0]) > 9, "e" in results[0], "the" in results[0]]
    return {"prompt_level_strict_acc": all(followed), "inst_level_strict_acc": followed, "words": len(results[0])}


def share(items):
    flat = [one for item in items for one in item]
    return sum(flat) / len(flat)


def mc2(doc, results):
    logliks = np.array([loglik for loglik, _ in results])
    shares = np.exp(logliks) / np.exp(logliks).sum()
    return {"acc": np.sum(shares[np.array(doc["mc2_targets"]["labels"]) == 1])}


def text(doc, results):
    (loglik,) = results
    words, size = len(re.split(r"\\s+", doc["page"])), len(doc["page"].encode("utf-8"))
    return {"word_perplexity": (loglik, words), "byte_perplexity": (loglik, size), "bits_per_byte": (loglik, size)}
"""
TASKS = {
    "gsm8k_like": """output_type: generate_until
doc_to_text: "Question: {{query}}\\nAnswer:"
doc_to_target: "so #### {{answer}}"
generation_kwargs: {until: ["Question:"], do_sample: false, max_gen_toks: 12}
metric_list: [{metric: exact_match, MEAN, ignore_case: true, regexes_to_ignore: ["(?s).*#### "]}]
filter_list:
  - name: strict-match
    filter: [{function: regex, regex_pattern: "([a-zA-Z])"}, {function: take_first}]
  - name: flexible-extract
    filter: [{function: regex, group_select: -1, regex_pattern: "([a-z])"}, {function: take_first}]
""",
    "drop_like": """output_type: generate_until
doc_to_text: "{{query}}"
doc_to_target: "{{answer}}"
process_results: !function utils.drop
generation_kwargs: {until: ["."], max_gen_toks: 6}
metric_list: [{metric: em, MEAN}, {metric: f1, MEAN}]
""",
    "ifeval_like": """output_type: generate_until
doc_to_text: "{{query}}"
doc_to_target: 0
process_results: !function utils.instructions
repeats: 2
generation_kwargs: {until: [], max_gen_toks: 6}
metric_list:
  - {metric: prompt_level_strict_acc, MEAN}
  - {metric: inst_level_strict_acc, aggregation: !function utils.share, higher_is_better: true}
  - {metric: words, MEAN}
""",
    "mc2_like": """CHOICE
doc_to_target: 0
doc_to_choice: "{{mc2_targets.choices}}"
process_results: !function utils.mc2
metric_list: [{metric: acc, MEAN}]
""",
    "golds": """CHOICE
doc_to_target: golds
doc_to_choice: choices
metric_list: [{metric: acc}, {metric: acc_norm}, {metric: exact_match}]
""",
    "mutual": """CHOICE
doc_to_target: "{{gold % 2}}"
doc_to_choice: "{{choices[:2]}}"
metric_list: [{metric: acc}, {metric: acc_norm}, {metric: acc_bytes}, {metric: acc_mutual_info}, {metric: brier_score}]
""",
    "wikitext_like": """output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: !function utils.page
process_results: !function utils.text
metric_list: [{metric: word_perplexity}, {metric: byte_perplexity}, {metric: bits_per_byte}]
""",
}
SHORT = {
    "CHOICE": 'output_type: multiple_choice\ndoc_to_text: "Q: {{query}}\\nA:"',
    "MEAN": "aggregation: mean, higher_is_better: true",
}


def documents(number: int) -> dict[str, Any]:
    """One document that every task here can ask for."""
    question = tiny_models.question(number)
    choices = question["choices"]
    right = [0, *(i for i in range(1, len(choices) - 1) if (i + number) % 2)]  # never the last
    words = tiny_models.WORDS[number % 5 :] * (1 + number % 6)  # some of them longer than the context
    return question | {
        "answer": "aeglnotz"[number % 8],
        "golds": right if number % 2 else right[:1],
        "mc2_targets": {"choices": choices, "labels": [int(i in right) for i in range(len(choices))]},
        "page": f" = naïve {number} = \n {' '.join(words)} , and so on .\n",
    }


def write(folder: Path, names: tuple[str, ...] = tuple(TASKS), count: int = 8) -> None:
    """Write tasks of ``count`` documents each into a folder for ``--include_path``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "utils.py").write_text(UTILS, encoding="utf-8")
    data = folder / "layouts.jsonl"
    data.write_text("".join(json.dumps(documents(n)) + "\n" for n in range(count)), encoding="utf-8")
    for name in names:
        content = TASKS[name]
        for short, long in SHORT.items():
            content = content.replace(short, long)
        (folder / f"{name}.yaml").write_text(
            f"task: {name}\ndataset_path: json\ndataset_kwargs: {{data_files: {{test: '{data}'}}}}\ntest_split: test\n"
            f"{content}metadata: {{version: 2.0}}\n",
            encoding="utf-8",
        )
