"""One worker: a process that holds a model and answers requests. It knows torch, and lm-eval only to write texts."""

from __future__ import annotations

import importlib.metadata
import os
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...core.digest import object_digest
from ...core.errors import CheckpointError
from ..checkpoints import files as checkpoints
from ..checkpoints.files import Files, Signature
from ..requests.encoded import Encoded, Prompts

DEFAULTS = "generation_config"  # in how something was written: the digest of the checkpoint's defaults
KEPT_LAYOUTS = 8  # plans of batches that are kept for the next checkpoint


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """How a worker computes; ``threads`` is torch's on a CPU, empty for its default."""

    device: str
    dtype: str
    batch_size: int
    share: str = "auto"
    threads: int | None = None
    backend: str = "hf"
    add_bos_token: bool = False
    max_length: int | None = None
    seed: int = 1234


@dataclass(frozen=True, kw_only=True)
class WorkerJob:
    """Requests to a checkpoint: ``key`` names the requests, so that their layout is planned once.

    ``digest`` is the checkpoint's, ``signature`` that of its files when they were hashed, ``limit`` its context in
    tokens. ``prompts`` are to be continued beside the requests.
    """

    files: Files
    digest: str
    signature: Signature
    limit: int
    key: str
    requests: Encoded
    prompts: Prompts | None = None


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """Log-likelihoods (nats, (r,)), whether greedy, and how it was computed; or ``failure``, why it could not be.

    ``texts`` are what the prompts were continued with, ``state`` that of the random generators afterwards, if drawn.

    ``loaded`` tells a checkpoint that could not be loaded from requests that it could not answer. ``changed`` means
    that the files were not, or did not stay, those of the job's digest: nothing else counts then.
    """

    logliks: Any
    greedy: Any
    how: dict[str, Any]
    failure: str = ""
    loaded: bool = True
    changed: bool = False
    texts: tuple[str, ...] = ()
    state: str = ""


class Worker:
    """Answers jobs one after the other; the model of the last checkpoint stays loaded."""

    def __init__(self, settings: WorkerSettings) -> None:
        import torch

        if settings.threads:
            torch.set_num_threads(settings.threads)
        self._settings = settings
        self._loaded: tuple[str, str] | None = None
        self._agreed: dict[str, Signature] = {}  # by digest: a signature found to be of that content
        self._live: Any = None
        self._writer: Any = None
        self._layouts: OrderedDict[tuple[str, int, bool], Any] = OrderedDict()
        self._shares: dict[tuple[str, str], bool] = {}
        self._how = {
            "torch": torch.__version__,
            "transformers": importlib.metadata.version("transformers"),
            "device": settings.device,
            "backend": settings.backend,
        }

    def answer(self, job: WorkerJob) -> JobResult:
        """Score the job's requests; what the checkpoint is to blame for comes back as ``failure``.

        The files are looked at before they are read and after the last answer (they may be mapped into memory, not
        copied): only what stayed the same in between has the scores.
        """
        before = checkpoints.signature(job.files)
        # On another machine the same files may have other inodes and times.
        if before not in (job.signature, self._agreed.get(job.digest)):
            if not checkpoints.still(job.files, job.digest):
                self._loaded = None
                return JobResult(logliks=None, greedy=None, how=self._how, changed=True)
            self._agreed = {job.digest: before}
            self._loaded = None
        result = self._answer(job)
        if checkpoints.signature(job.files) != before:
            self._loaded = None
            return JobResult(logliks=None, greedy=None, how=self._how, changed=True)
        return result

    def _answer(self, job: WorkerJob) -> JobResult:
        try:
            return self._harness(job) if self._settings.backend != "hf" else self._torch(job)
        except CheckpointError as error:
            loaded = self._loaded == (job.digest, str(job.files.folder))
            self._loaded = None
            return JobResult(logliks=None, greedy=None, how=self._how, failure=str(error), loaded=loaded)

    def _torch(self, job: WorkerJob) -> JobResult:
        import torch

        from . import loglikelihood as engine
        from . import model

        if self._live is None:
            self._live = model.LiveModel(self._settings.dtype, self._settings.device)
        here = (job.digest, str(job.files.folder))
        if self._loaded != here:
            self._loaded = None
            self._live.put(job.files)
            self._loaded = here
        embedded = self._live.model.get_input_embeddings().weight.shape[0]
        if (top := int(job.requests.tokens.max(initial=0))) >= embedded:  # on a GPU it would end the process
            raise CheckpointError(f"token {top} has no embedding: the model has {embedded}")
        written = self._written(job)
        if not len(job.requests):
            return replace(written, how=self._how | written.how)
        try:
            layout = self._layout(job)
            answers = engine.answer(self._live.model, job.requests, layout)
        except torch.OutOfMemoryError as error:
            raise CheckpointError(f"one sequence does not fit into the memory of {self._settings.device}") from error
        how = self._how | {"batch_size": layout.batch_size, "shared_prefix": layout.shared} | written.how
        return replace(written, logliks=answers.logliks, greedy=answers.greedy, how=how)

    def _written(self, job: WorkerJob) -> JobResult:
        """What the live model writes after the job's prompts, with no log-likelihoods."""
        none = JobResult(logliks=np.zeros(0), greedy=np.zeros(0, dtype=bool), how={})
        if job.prompts is None:
            return none
        from . import generation

        if self._writer is None:
            given = self._settings
            self._writer = generation.Writer(
                batch_size=given.batch_size, max_length=given.max_length, add_bos_token=given.add_bos_token
            )
        texts, state, size = self._writer.write(self._live.model, job.files, job.prompts)
        return replace(none, texts=texts, state=state, how=_defaults_of(job) | {"generation_batch_size": size})

    def _layout(self, job: WorkerJob) -> Any:
        """The batches of a job: planned once for its requests, with or without shared prefixes by the architecture."""
        from . import loglikelihood as engine

        model, size = self._live.model, self._settings.batch_size
        kind = (job.key, object_digest(job.files.config))
        if kind not in self._shares:
            share = self._settings.share
            self._shares[kind] = engine.shares(model, job.requests, job.limit, size, share)  # type: ignore[arg-type]
        key = (job.key, job.limit, self._shares[kind])
        if key not in self._layouts:
            self._layouts[key] = engine.layout(job.requests, job.limit, size, share=self._shares[kind])
        self._layouts.move_to_end(key)
        while len(self._layouts) > KEPT_LAYOUTS:
            self._layouts.popitem(last=False)
        return self._layouts[key]

    def _harness(self, job: WorkerJob) -> JobResult:
        """Through a model class of lm-eval, built anew for every checkpoint."""
        import lm_eval.models  # noqa: F401 - registers the classes
        from lm_eval.api.registry import get_model

        here = (job.digest, str(job.files.folder))
        if self._loaded != here:
            self._live, self._loaded = None, None
            given: dict[str, Any] = {"pretrained": str(job.files.folder), "dtype": self._settings.dtype}
            given |= {"tokenizer": str(job.files.tokenizer_folder), "batch_size": self._settings.batch_size}
            given |= {"device": self._settings.device}  # vLLM goes by CUDA_VISIBLE_DEVICES and says so
            given |= {"add_bos_token": self._settings.add_bos_token, "max_length": self._settings.max_length}
            if self._settings.backend == "vllm":
                given |= {"seed": self._settings.seed}
            try:
                self._live = get_model(self._settings.backend)(trust_remote_code=False, **given)
            except (OSError, ValueError, RuntimeError, ImportError, AssertionError) as error:
                what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
                raise CheckpointError(f"{self._settings.backend} cannot load it: {what}") from error
            self._loaded = here
        texts: tuple[str, ...] = ()
        state = ""
        if job.prompts is not None:
            import torch

            from . import generation

            texts, state = generation.continued(self._live, job.prompts, torch.device(self._settings.device))
        prompts = job.requests.prompts.tolist()
        # One answer length at a time: lm-eval's logits cache mixes up one sequence cut at two places.
        results = np.zeros((len(job.requests), 2))
        for length in np.unique(job.requests.answers):
            which = np.flatnonzero(job.requests.answers == length)
            sequences = job.requests.sequences()
            requests = [(("", ""), sequences[i][: prompts[i]], sequences[i][prompts[i] :]) for i in which]
            results[which] = self._live._loglikelihood_tokens(requests, disable_tqdm=True)
        how = self._how | {"batch_size": self._settings.batch_size, "shared_prefix": False}
        how |= {} if job.prompts is None else _defaults_of(job)
        return JobResult(logliks=results[:, 0], greedy=results[:, 1] > 0, how=how, texts=texts, state=state)


def _defaults_of(job: WorkerJob) -> dict[str, str]:
    return {DEFAULTS: checkpoints.generation_digest(job.files)}


_process_worker: dict[str, Worker] = {}


def answer_here(settings: WorkerSettings, job: WorkerJob) -> JobResult:
    """Answer with this process's worker, made at the first call; what a pool of processes runs."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if "worker" not in _process_worker:
        _process_worker["worker"] = Worker(settings)
    return _process_worker["worker"].answer(job)
