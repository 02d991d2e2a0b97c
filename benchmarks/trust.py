"""How far ``auto`` may be trusted: its own backtests, thin ladders, other suites, and at last the held-out targets.

    python benchmarks/trust.py --testbeds DIR --backtests [gadre2024 olmo_ladder demo]
    python benchmarks/trust.py --testbeds DIR --thin        # the first 3 to 6 runs of each ladder, to its later ones
    python benchmarks/trust.py --testbeds DIR --gemstones [--inside]
    python benchmarks/trust.py --testbeds DIR               # backtests, then targets, once at the end of some work

Nothing in the package was fitted to the targets. A run without a flag and --gemstones look at them; every other flag
takes their rows out of the tables first. A refused task counts with its baseline (the largest ladder score carried
forward). All figures are points of accuracy; inside is the share of scores in their 90 % intervals, width their median,
Winkler the interval score (smaller is better).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from trials import backtests, choices, gemstones, references, suites, targets, thin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", default=list(suites.TARGETS), help=f"of {', '.join(suites.TARGETS)}")
    parser.add_argument("--testbeds", type=Path, required=True, help="folder with a folder per published testbed")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--backtests", action="store_true", help="only the ladders' own backtests")
    only.add_argument("--thin", action="store_true", help="only the first runs of each ladder, to its later ones")
    only.add_argument("--gemstones", action="store_true", help="only Gemstones, to its largest models")
    only.add_argument("--references", action="store_true", help="only with and without models of the other mix")
    only.add_argument("--selection", action="store_true", help="only compare ways to choose among the paths")
    only.add_argument("--candidates", action="store_true", help="only what each candidate adds to the pool")
    parser.add_argument("--inside", action="store_true", help="--gemstones: to the ladder's own largest sizes instead")
    args = parser.parse_args()
    if unknown := set(args.suites) - set(suites.TARGETS):
        parser.error(f"{sorted(unknown)[0]!r} is no suite; choose from {', '.join(suites.TARGETS)}")
    if args.inside and not args.gemstones:
        parser.error("--inside goes with --gemstones")
    if args.thin:
        thin.report(args.suites, args.testbeds)
    elif args.gemstones:
        gemstones.report(args.testbeds, args.inside)
    elif args.references:
        references.report(args.testbeds)
    elif args.selection:
        choices.selection(args.suites, args.testbeds)
    elif args.candidates:
        choices.candidates(args.suites, args.testbeds)
    else:
        backtests.report(args.suites, args.testbeds)
        if not args.backtests:
            targets.report(args.suites, args.testbeds)


if __name__ == "__main__":
    main()
