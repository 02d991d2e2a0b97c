"""Local tasks in the layout of lm-eval's that generate, about what the tiny models themselves write.

Random models write rubbish. So that some answers are right, a part of the reference answers is made of what a model
writes after the very prompt; the rest is invented.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

WORDS = ["cat", "dog", "mat", "river", "bridge", "song", "seven", "red"]

GSM8K = """task: gsm_like
dataset_path: json
dataset_kwargs: {{data_files: {{train: '{folder}/gsm_train.jsonl', test: '{folder}/gsm.jsonl'}}}}
training_split: train
fewshot_split: train
test_split: test
output_type: generate_until
doc_to_text: "Question: {{{{question}}}}\\nAnswer:"
doc_to_target: "{{{{answer}}}}"
num_fewshot: 1
generation_kwargs: {{until: ["Question:", "</s>"], do_sample: false, temperature: 0.0, max_gen_toks: 12}}
repeats: 1
metric_list:
  - {{metric: exact_match, aggregation: mean, higher_is_better: true, ignore_case: true, ignore_punctuation: false,
     regexes_to_ignore: [",", "\\\\$", "(?s).*#### ", "\\\\.$"]}}
filter_list:
  - name: strict-match
    filter: [{{function: regex, regex_pattern: "#### (\\\\-?[0-9\\\\.\\\\,]+)"}}, {{function: take_first}}]
  - name: flexible-extract
    filter:
      - {{function: regex, group_select: -1, regex_pattern: "(-?[$0-9.,]{{2,}})|(-?[0-9]+)"}}
      - {{function: take_first}}
metadata: {{version: 3.0}}
"""

MMLU_PRO = """task: mmlu_pro_like
dataset_path: json
dataset_kwargs: {{data_files: {{validation: '{folder}/pro_shots.jsonl', test: '{folder}/pro.jsonl'}}}}
test_split: test
fewshot_split: validation
fewshot_config:
  sampler: first_n
  doc_to_text: !function utils.pro_shot
  doc_to_target: ""
output_type: generate_until
doc_to_text: !function utils.pro_text
doc_to_target: answer
description: "Choose."
num_fewshot: 1
generation_kwargs: {{until: ["</s>", "Q:", "<|im_end|>"], do_sample: false, temperature: 0.0, max_gen_toks: 10}}
filter_list:
  - name: custom-extract
    filter: [{{function: regex, regex_pattern: "([a-h])"}}, {{function: take_first}}]
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true, ignore_case: true}}]
metadata: {{version: 2.1}}
"""

DROP = """task: drop_like
dataset_path: json
dataset_kwargs: {{data_files: {{validation: '{folder}/drop.jsonl'}}}}
validation_split: validation
output_type: generate_until
process_docs: !function utils.drop_docs
doc_to_text: "{{{{passage}}}} {{{{question}}}}"
doc_to_target: "{{{{ answer|join(',')}}}}"
target_delimiter: ""
process_results: !function utils.drop_results
generation_kwargs: {{until: ["."], max_gen_toks: 8}}
metric_list:
  - {{metric: em, aggregation: mean, higher_is_better: true}}
  - {{metric: f1, aggregation: mean, higher_is_better: true}}
metadata: {{version: 3.0}}
"""

TRIVIA = """task: trivia_like
dataset_path: json
dataset_kwargs: {{data_files: {{validation: '{folder}/trivia.jsonl'}}}}
validation_split: validation
output_type: generate_until
doc_to_text: "Question: {{{{question}}}}?\\nAnswer:"
doc_to_target: "{{{{answer.aliases}}}}"
generation_kwargs: {{until: ["\\n", ".", ","], do_sample: false, temperature: 0.0, max_gen_toks: 4}}
filter_list:
  - name: remove_whitespace
    filter: [{{function: remove_whitespace}}, {{function: take_first}}]
target_delimiter: " "
metric_list:
  - {{metric: exact_match, aggregation: mean, higher_is_better: true, ignore_case: true, ignore_punctuation: true}}
metadata: {{version: 3.0}}
"""

HUMANEVAL = """task: humaneval_like
dataset_path: json
dataset_kwargs: {{data_files: {{test: '{folder}/human.jsonl'}}}}
unsafe_code: true
output_type: generate_until
test_split: test
doc_to_text: "{{{{prompt}}}}"
doc_to_target: "{{{{test}}}}\\ncheck({{{{entry_point}}}})"
metric_list:
  - {{metric: !function utils.pass_at_k, aggregation: mean, higher_is_better: true, k: [1, 2]}}
generation_kwargs: {{until: ["\\nclass"], max_gen_toks: 8, do_sample: true, temperature: 1.5}}
repeats: 2
num_fewshot: 0
filter_list:
  - name: create_test
    filter: [{{function: custom, filter_fn: !function utils.build_predictions}}]
metadata: {{version: 1.0}}
"""

BLEU = """task: bleu_like
dataset_path: json
dataset_kwargs: {{data_files: {{test: '{folder}/trivia.jsonl'}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{answer.value}}}}"
generation_kwargs: {{until: ["\\n"], max_gen_toks: 4}}
metric_list: [{{metric: bleu}}, {{metric: exact_match}}]
metadata: {{version: 1}}
"""

DRAWN = """task: drawn_like
dataset_path: json
dataset_kwargs: {{data_files: {{test: '{folder}/trivia.jsonl'}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{answer.value}}}}"
generation_kwargs: {{until: ["\\n"], max_gen_toks: 3, do_sample: true, temperature: 1.2}}
repeats: 2
metric_list: [{{metric: exact_match}}]
metadata: {{version: 1}}
"""

UTILS = """
import collections


def pro_text(doc):
    return "Q: " + doc["question"] + " A: think."


def pro_shot(doc):
    return pro_text(doc) + " " + doc["cot_content"]


def drop_docs(dataset):
    return dataset.map(lambda doc: {"answer": [doc["value"]]})


def drop_results(doc, results):
    said, gold = results[0].split(), doc["answer"][0].split()
    common = sum((collections.Counter(said) & collections.Counter(gold)).values())
    f1 = 2 * common / (len(said) + len(gold)) if common else 0.0
    return {"em": float(said == gold), "f1": round(f1, 2)}


def build_predictions(resps, docs):
    return [[doc["prompt"] + r for r in resp] for resp, doc in zip(resps, docs)]


def pass_at_k(references, predictions, k=None):
    k = [k] if isinstance(k, int) else k
    right = 0
    for program in predictions[0]:
        scope = {}
        try:
            exec(program + "\\n" + references[0], scope)
            right += 1
        except Exception:
            pass
    n = len(predictions[0])
    share = {1: right / n, 2: float(right > 0)}
    return {f"pass@{i}": share[i] for i in k}
"""

LAYOUTS = {
    "gsm_like": GSM8K,
    "mmlu_pro_like": MMLU_PRO,
    "drop_like": DROP,
    "trivia_like": TRIVIA,
    "humaneval_like": HUMANEVAL,
    "bleu_like": BLEU,
    "drawn_like": DRAWN,
}
STOPS = {"drop_like": (".",), "trivia_like": ("\n", ".", ",")}
NEW_TOKENS = {"drop_like": 8, "trivia_like": 4}


def _lines(path: Path, docs: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(doc) + "\n" for doc in docs), encoding="utf-8")


def words(i: int, count: int) -> str:
    return " ".join(WORDS[(i * 3 + j) % len(WORDS)] for j in range(count))


def prompts(task: str, number: int) -> list[str]:
    """The prompts of the tasks that show no examples."""
    if task == "drop_like":
        return [f"{words(i, 3)} {words(i + 1, 2)}" for i in range(number)]
    return [f"Question: {words(i, 3)}?\nAnswer:" for i in range(number)]


def says(checkpoint: Path, number: int = 12) -> dict[str, list[str]]:
    """What a model writes after the prompts of some tasks, by transformers alone: greedy, one prompt at a time."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(checkpoint)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    said: dict[str, list[str]] = {}
    for task, new in NEW_TOKENS.items():
        for prompt in prompts(task, number):
            given = tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)
            out = model.generate(**given, max_new_tokens=new, do_sample=False)[0, given["input_ids"].shape[1] :]
            text = tokenizer.decode(out, skip_special_tokens=True)
            for stop in STOPS[task]:
                text = text.split(stop)[0]
            said.setdefault(task, []).append(text)
    return said


def write_tasks(folder: Path, said: dict[str, list[str]] | None = None, number: int = 12) -> None:
    """The tasks with ``number`` documents each. ``said`` (task to texts) are what a model wrote: right for a part."""
    folder.mkdir(parents=True, exist_ok=True)
    said = said or {}

    def answer(task: str, i: int, default: str) -> str:
        texts = said.get(task, [])
        return texts[i] if i % 3 == 0 and i < len(texts) and texts[i].strip() else default

    _lines(folder / "gsm_train.jsonl", [{"question": words(i, 2), "answer": f"so #### {i}"} for i in range(4)])
    gsm = [
        {"question": words(i, 1 + i % 4), "answer": f"{words(i, 2)} #### {(i % 3 and i % 10) or 3}"}
        for i in range(number)
    ]
    _lines(folder / "gsm.jsonl", gsm)
    _lines(folder / "pro_shots.jsonl", [{"question": "one", "cot_content": "it is (b).", "answer": "B"}] * 2)
    pro = [{"question": words(i, 2 + i % 3), "answer": "abcdefgh"[i % 8], "cot_content": ""} for i in range(number)]
    _lines(folder / "pro.jsonl", pro)
    drop = [
        {"passage": words(i, 3), "question": words(i + 1, 2), "value": answer("drop_like", i, words(i, 2))}
        for i in range(number)
    ]
    _lines(folder / "drop.jsonl", drop)
    trivia = []
    for i in range(number):
        value = answer("trivia_like", i, words(i, 1)).strip()
        trivia.append({"question": words(i, 3), "answer": {"value": value, "aliases": [value, words(i + 2, 1)]}})
    _lines(folder / "trivia.jsonl", trivia)
    human = [
        {
            "prompt": f"x = {i} #",
            "canonical_solution": f"    return {i}",
            "test": "def check(x):\n    assert x % 3 == 0",
            "entry_point": "x",
        }
        for i in range(number)
    ]
    _lines(folder / "human.jsonl", human)
    (folder / "utils.py").write_text(UTILS)
    for name, text in LAYOUTS.items():
        (folder / f"{name}.yaml").write_text(text.format(folder=folder), encoding="utf-8")
