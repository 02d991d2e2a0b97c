"""W&B exports in the shapes that went wrong: clocks, percentages, two of one name, runs that did not finish."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from benchcast.core.errors import FaultsError
from benchcast.data.sources.wandb import reader as wandb_csv
from benchcast.reports.records.account import Account

PLACES = '"*": {family: mix, params: 1e8, tokens_per_step: 5e5}\n'


def read(folder: Path, text: str, account: Account | None = None, places: str = PLACES) -> pd.DataFrame:
    (folder / "w.csv").write_text(text, encoding="utf-8")
    (folder / "ladder.yaml").write_text(places)
    return wandb_csv.read_wandb(folder, account)


def told(account: Account) -> str:
    return "\n".join(account.record().lines())


def test_the_trainers_steps_come_before_wandbs_own_count(tmp_path: Path) -> None:
    account = Account()
    found = read(tmp_path, "Name,_step,train/global_step,eval/loss\na,1200,12000,3.2\n", account)
    assert found["tokens"].tolist() == [12000 * 5e5]
    assert "steps are 'train/global_step', not '_step'" in told(account)


def test_two_clocks_of_the_trainer_that_disagree_are_a_fault(tmp_path: Path) -> None:
    with pytest.raises(FaultsError, match="tells steps twice, and differently"):
        read(tmp_path, "Name,trainer/global_step,train/global_step,eval/loss\na,1200,12000,3.2\n")


def test_logged_tokens_are_taken_and_held_against_ladder_yaml(tmp_path: Path) -> None:
    found = read(tmp_path, "train/tokens,a - eval/loss\n1e9,3.2\n")
    assert found["tokens"].tolist() == [1e9]
    with pytest.raises(FaultsError, match=r"run 'a': 1e\+09 tokens at step 100 are 1e\+07 a step"):
        read(tmp_path, "Name,global_step,tokens,eval/loss\na,100,1e9,3.2\n")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "Name,_step,q/acc\na,10,31.2\n",
            r"w\.csv: line 2, column q/acc: run 'a': 31\.2 is outside 0 to 1, .* of acc .*percentage",
        ),
        ("Name,_step,q/acc\na,10,31.2%\n", "'31.2%' is not a number .*percentage"),
        ('Name,_step,q/acc\na,10,"0,312"\n', "'0,312' is not a number .*decimal comma"),
        ('Name,_step,q/acc\na,"12,000",0.3\n', "column _step: run 'a': '12,000' is not a number .*thousands"),
        ("Name,_step,q/acc\na,12k,0.3\n", "'12k' is not a number .*suffix"),
        ("Name;_step;q/acc\na;10;0,3\n", "'0,3' is not a number .*decimal comma"),
        ("Step,a - eval/loss,a - eval/loss\n1,4.1,7.7\n", "run 'a' has 7.7 here and 4.1 in"),
        ("Name,_step,eval/loss,val_loss\na,1,4.1,4.2\n", "has 4.2 here and 4.1 in .*column eval/loss"),
        ("Name,_step,eval/loss\na,1,4.1\na,1,7.7\n", "line 3: is called 'a' as line 2 is"),
        ("Name,_step,tokens,eval/loss\na,1,9e8,4.1\na2,2,1e8,4.0\n", "tokens_per_step"),
        ("Relative Time (Wall),a - eval/loss\n1,4.1\n", r"its first column is 'Relative Time \(Wall\)'"),
        ("Name,_step,eval/loss\na,1,4.1\nb,2\n", "line 3 has 2 cells, the header has 3"),
        ("Name,State,eval/loss\na,crashed,4.1\n", "has no finished run"),
    ],
)
def test_what_cannot_be_right_is_named(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(FaultsError, match=says):
        read(tmp_path, text)


def test_tokens_that_fall_while_steps_grow_are_a_fault(tmp_path: Path) -> None:
    places = '"*": {params: 1e8}\n'
    with pytest.raises(FaultsError, match=r"at step 20, fewer than .* at step 10"):
        read(tmp_path, "Step,tokens,a - eval/loss\n10,5e8,4\n20,2e8,3\n", places=places)


def test_runs_that_did_not_finish_and_what_is_no_benchmark_are_left_out_with_a_line(tmp_path: Path) -> None:
    account = Account()
    head = "Name,State,_step,train/acc,eval/acc,eval/loss,test/loss,val/ppl,gsm8k/exact_match,q/acc\n"
    row = "0.6,0.5,4.1,4.2,60,0.1,0.3\n"
    found = read(tmp_path, f"{head}a,finished,10,{row}b,crashed,10,{row}c,running,10,{row}", account)
    cells = set(zip(found["run"], found["task"], found["value"], strict=True))
    assert cells == {("a", "validation", 4.1), ("a", "test", 4.2), ("a", "q", 0.3)}
    lines = told(account)
    assert "left out 2: runs that are not finished: b (crashed), c (running)" in lines
    for name in ("train/acc", "eval/acc", "val/ppl", "gsm8k/exact_match"):
        assert name in lines


def test_names_stay_text_and_equal_statements_are_one(tmp_path: Path) -> None:
    account = Account()
    found = read(tmp_path, "Name,_step,q/acc\n007,1,0.6\n7,1,0.7\n7.0,1,0.8\nNA,1,0.5\nNA,1,0.5\n", account)
    assert dict(zip(found["run"], found["value"], strict=True)) == {"007": 0.6, "7": 0.7, "7.0": 0.8, "NA": 0.5}
    assert "run 'NA' appears twice with the same values, and counts once" in told(account)


def test_numbers_that_are_not_finite_are_named(tmp_path: Path) -> None:
    account = Account()
    assert len(read(tmp_path, "Step,a - eval/loss\n1,4.1\n2,NaN\n3,Infinity\n4,\n", account)) == 1
    assert "run a, a - eval/loss, line 3: NaN, run a, a - eval/loss, line 4: Infinity" in told(account)


def test_a_fifo_and_a_folder_are_refused(tmp_path: Path) -> None:
    import os

    (tmp_path / "a.csv").mkdir()
    os.mkfifo(tmp_path / "b.csv")
    with pytest.raises(FaultsError, match=r"a\.csv: cannot be read: is a folder[\s\S]*b\.csv.*is a FIFO"):
        read(tmp_path, "Step,a - eval/loss\n1,4.1\n")


def test_losses_of_the_objective_the_training_and_the_best_so_far_are_no_validation(tmp_path: Path) -> None:
    account = Account()
    names = "val/loss,val/aux_loss,eval/z_loss,eval/kl_loss,eval/train_loss,train_val_loss,best_val_loss,val/min_loss"
    found = read(tmp_path, f"Name,train/global_step,{names}\na,100,3.2,.01,.02,.3,2.0,2.1,1.8,1.7\n", account)
    assert found[["task", "value"]].to_numpy().tolist() == [["validation", 3.2]]
    assert "objective" in told(account)
    assert "eval/train_loss" in told(account)
    assert "least losses of a run so far, which are of no checkpoint: best_val_loss, val/min_loss" in told(account)


def test_a_row_without_its_step_is_called_so(tmp_path: Path) -> None:
    with pytest.raises(FaultsError, match="run 'b': cannot find its step"):
        read(tmp_path, "Name,train/global_step,eval/loss\na,100,3.2\nb,,3.1\n")
