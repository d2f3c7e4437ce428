"""Print one topic's tables: `python -m benchmarks` lists the topics."""

from __future__ import annotations

import argparse
import importlib
import sys

#: Topic -> what it measures.  A new one is a module with `run(quick)` and one line.
TOPICS: dict[str, str] = {
    "boundary": "one-class SVM: scoring against libsvm, reduced sets against subsamples",
    "coldstart": "a fresh process that loads a model and scores one row, against joblib and PyOD",
    "density": "LOF: scoring against scikit-learn, cleaning and condensing the reference set",
    "forest": "isolation forest: scoring against scikit-learn, pruned nodes against small forests",
    "metrics": "metrics against argsort, scikit-learn and the public implementations",
    "signal_stl": "STL against statsmodels",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("topic", nargs="?", choices=sorted(TOPICS))
    parser.add_argument("--quick", action="store_true", help="smaller sizes and fewer sets")
    args = parser.parse_args()
    if args.topic is None:
        sys.stdout.writelines(f"{name:<12} {what}\n" for name, what in sorted(TOPICS.items()))
        return 0
    importlib.import_module(f"benchmarks.{args.topic}").run(quick=args.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
