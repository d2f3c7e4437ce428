"""Print one topic's tables: `python -m benchmarks` lists the topics."""

from __future__ import annotations

import argparse
import importlib
import sys

#: Topic -> what it measures.  A new one is a module with `run(quick)` and one line.
TOPICS: dict[str, str] = {
    "boundary": "one-class SVM: scoring against libsvm, reduced sets against subsamples",
    "choice": '`choose` without labels beside fixed detectors and PyOD (--sample N --seed S --cache FILE --methods "a;b" --table)',
    "coldstart": "a fresh process that loads a model and scores one row, against joblib and PyOD",
    "density": "LOF: scoring against scikit-learn, cleaning and condensing the reference set",
    "faults": "a monitoring job killed, crowded, out of disk, and run ten thousand times (--kills N --runs N --crowd N --rounds N)",
    "forest": "isolation forest: growing and scoring against scikit-learn, pruned nodes against small forests",
    "jobs": "a scheduled run as a whole process against pandas + statsmodels + PyOD; 10,000 series in one run",
    "ledger": "a full report: five stages, three detectors, 200 resamples at 100,000 rows",
    "metrics": "metrics against argsort, scikit-learn and the public implementations",
    "panel": "a fleet: stages, scoring, new points, threads, store, sharing, starting from it, ten million rows",
    "peers": "quality, delay, seconds and bytes beside PyOD, ADTK, pysad, stumpy and plain rules",
    "pruning": "every cut beside its honest baseline: forests, one-class SVMs, LOF, features, students",
    "signal": "signal stages: speed, promises counted, what is explained and kept, residuals as scores",
    "signal_stl": "STL against statsmodels",
    "teacher": "cuts of 1,000 trees: what they lose beyond noise, over seeds and sets (--seeds N)",
    "verdicts": "injected anomalies beside labels as judges of a stage (--sources N --seed N)",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("topic", nargs="?", choices=sorted(TOPICS))
    parser.add_argument("--quick", action="store_true", help="smaller sizes and fewer sets")
    args, more = parser.parse_known_args()
    if args.topic is None:
        sys.stdout.writelines(f"{name:<12} {what}\n" for name, what in sorted(TOPICS.items()))
        return 0
    topic = importlib.import_module(f"benchmarks.{args.topic}")
    if more and not hasattr(topic, "options"):
        parser.error(f"{args.topic} takes no {' '.join(more)}")
    topic.run(quick=args.quick, **(topic.options(more) if more else {}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
