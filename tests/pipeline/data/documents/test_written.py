"""Documents whose answers were written: the reference answer's NLL, and right or wrong where a score says that."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
from benchcast.core.digest import bytes_digest, object_digest
from benchcast.data.documents.collect import Asked
from benchcast.data.documents.stored import stored_documents
from benchcast.data.documents.written import SCORE, right_of, written_documents
from benchcast.scoring.store import cell

STRICT = "exact_match,strict-match"


def answers() -> pd.DataFrame:
    """Document 1 was asked twice; document 2 has no reference answer."""
    frame = pd.DataFrame({"doc_id": [1, 1, 0, 2], "answer": ["a", "b", "c", "d"], "repeat": [0, 1, 0, 0]})
    gold = {"gold_loglik": [-8.0, -8.0, -3.0, np.nan], "gold_bytes": [4, 4, 6, 0]}
    return frame.assign(**gold, **{SCORE + STRICT: [1.0, 1.0, 0.0, 0.0], SCORE + "f1": [0.4, 0.4, 0.0, 1.0]})


def test_each_document_counts_once_in_the_order_of_its_id() -> None:
    known = written_documents(answers(), STRICT)
    assert known is not None
    assert known["names"].tolist() == [0, 1, 2]
    np.testing.assert_allclose(known["nll"], [0.5, 2.0, np.nan])
    assert known["correct"].tolist() == [False, True, False]


def test_a_share_is_not_right_or_wrong_and_without_references_there_is_nothing_to_follow() -> None:
    known = written_documents(answers(), "f1")
    assert known is not None
    assert known["correct"] is None
    assert right_of(answers(), "pass@1") is None
    assert written_documents(answers().assign(gold_loglik=np.nan), STRICT) is None


def test_the_column_is_the_one_that_scoring_writes() -> None:
    assert SCORE == cell.SCORE


def test_a_stores_written_cells_are_read(tmp_path: Path) -> None:
    place = {"run": "r", "params": 1e6, "tokens": 2e7}
    plan = {"checkpoints": [{"digest": "d", "place": place}], "tasks": [{"name": "gsm", "requests": "q"}], "setup": "s"}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    buffer = io.BytesIO()
    answers().to_parquet(buffer)
    name = object_digest(["d", "q", "s"])[:40]
    folder = tmp_path / "cells" / name[:2] / name
    folder.mkdir(parents=True)
    (folder / "documents.parquet").write_bytes(buffer.getvalue())
    about = {"documents_sha256": bytes_digest(buffer.getvalue()), "rows": []}
    (folder / "results.json").write_text(json.dumps({"benchcast": about}))
    documents = stored_documents(tmp_path)
    assert documents is not None
    matrix = documents.matrix(Asked(task="gsm", metric=STRICT), {"r"}, {("r", 2e7): 1 / 3})
    assert matrix is not None
    assert documents.account.record().left_out == ()
    assert matrix.correct is not None
    assert matrix.correct.tolist() == [[False, True, False]]
    np.testing.assert_allclose(matrix.nll, [[0.5, 2.0, np.nan]])
