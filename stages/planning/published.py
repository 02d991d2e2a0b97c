"""Named constants of published laws, with what is known of their uncertainty, and the answers the papers print.

Where a paper gives no covariance, the interval of an answer is what its printed digits leave open: half a unit of the
last digit either way. That is the least an honest interval can be, and for Llama 3 it is already wide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..fit.newton import Array
from ..notices import Notice
from ..notices import planning as notices

if TYPE_CHECKING:
    from ..laws.surface import LossSurface

DRAWS = 2000  # of a law's constants: ends of a 90 % interval move by 1 to 2 % of its width between seeds
# Over (log A, log B, alpha, beta, E): benchmarks/fit.py repeats the fit that it comes from.
REFIT_COVARIANCE = (
    (0.0666187, -0.0277169, 0.00397112, -0.00138834, 0.00388434),
    (-0.0277169, 0.177845, -0.00172087, 0.00869665, 0.00658614),
    (0.00397112, -0.00172087, 0.000237039, -8.62535e-05, 0.000229428),
    (-0.00138834, 0.00869665, -8.62535e-05, 0.000425542, 0.000320805),
    (0.00388434, 0.00658614, 0.000229428, 0.000320805, 0.000659326),
)


@dataclass(frozen=True, kw_only=True)
class PublishedLaw:
    """A law's constants as printed.

    ``law`` names the class of the loss L(N, D); it is empty where the paper prints D* = A C^alpha (or M* and D*).
    ``constants`` are strings, so that the number of printed digits is kept. ``covariance`` is over (log A, log B,
    alpha, beta, E) where the fit could be repeated.
    """

    name: str
    law: str
    constants: Mapping[str, str]
    source: str
    note: Notice | None = None
    covariance: tuple[tuple[float, ...], ...] | None = None

    @property
    def has_loss(self) -> bool:
        """Whether it gives a loss, not only the optimum."""
        return bool(self.law)

    def loss_surface(self) -> type[LossSurface]:
        """The law itself; ValueError where only the optimum is printed."""
        # Imported here: a config that names a law must not wait for scikit-learn.
        from ..laws.registry import laws
        from ..laws.surface import LossSurface

        kind = laws().get(self.law)
        if kind is None or not issubclass(kind, LossSurface):
            raise ValueError(f"{self.name} gives its optimum only, not a loss")
        return kind

    def values(self) -> dict[str, Array]:
        """The printed values, each (1,)."""
        return {name: np.array([float(text)]) for name, text in self.constants.items()}

    def draws(self, n: int = DRAWS, seed: int = 0) -> dict[str, Array]:
        """``n`` draws: normal with the covariance where there is one, else uniform over what rounding leaves open."""
        rng = np.random.default_rng(seed)
        if self.covariance is None:
            return {name: float(text) + rounding(text) * rng.uniform(-1, 1, n) for name, text in self.constants.items()}
        v = self.values()
        centre = np.array([np.log(v["A"][0]), np.log(v["B"][0]), v["alpha"][0], v["beta"][0], v["E"][0]])
        theta = rng.multivariate_normal(centre, np.array(self.covariance), n)
        return {
            "A": np.exp(theta[:, 0]),
            "B": np.exp(theta[:, 1]),
            "alpha": theta[:, 2],
            "beta": theta[:, 3],
            "E": theta[:, 4],
        }


def rounding(text: str) -> float:
    """Half a unit of the last printed digit: 0.005 for "0.29", 0.05e13 for "8.8e13"."""
    mantissa, _, exponent = text.lower().partition("e")
    digits = len(mantissa.partition(".")[2])
    return float(0.5 * 10.0 ** (int(exponent or 0) - digits))


PUBLISHED_LAWS = {
    law.name: law
    for law in (
        PublishedLaw(
            name="chinchilla-refit",
            law="ChinchillaLoss",
            constants={"A": "477.83", "B": "2143.42", "alpha": "0.34731", "beta": "0.36717", "E": "1.81722"},
            source="Chinchilla's points (arXiv 2203.15556, figure 4) as digitised in arXiv 2404.10102; exact optimum",
            note=notices.REFITTED(),
            covariance=REFIT_COVARIANCE,
        ),
        PublishedLaw(
            name="chinchilla",
            law="ChinchillaLoss",
            constants={"A": "406.4", "B": "410.7", "alpha": "0.34", "beta": "0.28", "E": "1.69"},
            source="Hoffmann et al. (arXiv 2203.15556), approach 3",
            note=notices.DIGITS_DO_NOT_FIT(),
        ),
        PublishedLaw(
            name="kaplan",
            law="KaplanLoss",
            constants={"N_c": "6.4e13", "D_c": "1.8e13", "alpha_N": "0.076", "alpha_D": "0.103"},
            source="Kaplan et al. (arXiv 2001.08361), table 2 (N without embeddings)",
        ),
        PublishedLaw(
            name="llama3",
            law="",
            constants={"A": "0.29", "alpha": "0.53"},
            source="Llama 3 (arXiv 2407.21783), section 3.2.1",
            note=notices.TOKENS_ONLY(),
        ),
        PublishedLaw(
            name="deepseek",
            law="",
            constants={"A": "5.8316", "alpha": "0.4757", "M_A": "0.1715", "M_alpha": "0.5243"},
            source="DeepSeek LLM (arXiv 2401.02954), section 3.2",
            note=notices.WITH_ATTENTION(),
        ),
    )
}


def power_split(p: Mapping[str, Array], flops: float) -> tuple[Array, Array]:
    """Model size N and tokens D of a law that prints D* = A C^alpha: N = C / (6 D) or, where M* is printed, M / 6."""
    tokens = p["A"] * flops ** p["alpha"]
    size = p["M_A"] * flops ** p["M_alpha"] / 6 if "M_A" in p else flops / (6 * tokens)
    return size, tokens


# Exponents a of N*(C) ~ C^a as printed; 1 - a is that of D*(C).
EXPONENTS = (
    ("kaplan", "0.73", "Kaplan et al. (arXiv 2001.08361), section 6.1: N ~ C^0.73, D ~ C^0.27"),
    ("chinchilla approach 1", "0.50", "Hoffmann et al. (arXiv 2203.15556), table 2"),
    ("chinchilla approach 2", "0.49", "Hoffmann et al. (arXiv 2203.15556), table 2"),
    ("chinchilla approach 3", "0.46", "Hoffmann et al. (arXiv 2203.15556), table 2"),
    ("llama3", "0.47", "Llama 3 (arXiv 2407.21783): D ~ C^0.53"),
    ("deepseek", "0.5243", "DeepSeek LLM (arXiv 2401.02954): M ~ C^0.5243, D ~ C^0.4757"),
)
