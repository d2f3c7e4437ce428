"""The command line: data to stdout, everything else to stderr.

Exit codes: 0 ok, 1 anomalies found (only with --fail-on-anomaly), 2 usage or configuration, 3 data unfit, 4 model invalid,
5 locked by another run, 75 temporary: run again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsprune.errors import BadModelFile, BadParameter, BadSeries, TsPruneError
from tsprune.monitor.commands import add_commands

if TYPE_CHECKING:
    import pandas as pd

    from tsprune.series.io import Loaded

OK, FOUND, USAGE, UNFIT, INVALID = 0, 1, 2, 3, 4

#: The default chain of `fit` and `report`.
DEFAULT_STEPS = "deseason,windows,select,iforest"

#: Instead of a chain: a blend of views, chosen for the history.
AUTO_STEPS = "auto"

_HOW_TO = """\
DATA is a CSV (also .gz) or Parquet file: one column of times (named time, timestamp, date, ds, the only one of dates, or --time),
numeric columns, and for `report` a column of labels, 1 in an anomaly and 0 elsewhere (named label, or given by --label).
Columns whose name begins with an underscore are left out.  Times may be texts, timestamps, or numbers since 1970.

examples
  tsprune doctor metrics.csv                                what is in the file, and what would be done about it
  tsprune report metrics.parquet --train 0.35 --out r.html  what each stage is worth, learned on the first 35 %
  tsprune report metrics.csv --inject                       the same without labels: by anomalies injected into the rows
  tsprune fit metrics.csv --model m.tsp                     learn and prune a model
  tsprune fit metrics.csv --steps auto --model m.tsp        the same where nothing is known of the series
  tsprune score new.csv --model m.tsp > scores.csv          score rows; loads no scikit-learn
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is returned."""
    args = _parser().parse_args(argv)
    try:
        return int(args.run(args))
    except BadModelFile as error:
        return _fail(error, INVALID)
    except BadSeries as error:
        return _fail(error, UNFIT)
    except TsPruneError as error:
        return _fail(error, USAGE)
    except BrokenPipeError:
        sys.stderr.close()
        return OK
    except OSError as error:
        return _fail(error, USAGE)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)


def _fail(error: object, code: int) -> int:
    sys.stderr.write(f"tsprune: {' '.join(str(error).split())}\n")
    return code


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tsprune",
        description="Prune everything between a raw signal and an alert that does not earn its place, and say what each cut costs.",
        epilog=_HOW_TO,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    demo = _command(commands, "demo", _demo, "the main job on a shipped series: report, model, scores")
    demo.add_argument("--out", default="tsprune-demo", metavar="FOLDER", help="where to write (default: %(default)s)")
    doctor = _command(commands, "doctor", _doctor, "what is in a file, and what would be done about it")
    _data_arguments(doctor)
    report = _command(commands, "report", _report, "what each stage does to detection quality, size and latency")
    _data_arguments(report)
    _learn_arguments(report)
    report.add_argument("--out", metavar="FILE", help="also write the report to FILE: .html, .json or .csv")
    report.add_argument("--inject", action="store_true", help="without labels: judge by anomalies injected into the rows")
    report.add_argument("--metrics", default="vus_pr,auc_pr,event_f1", help="names, comma between (default: %(default)s)")
    report.add_argument(
        "--boot", type=int, default=200, metavar="N", help="bootstrap resamples behind the intervals (default: %(default)s)"
    )
    fit = _command(commands, "fit", _fit, "learn a pipeline, prune it, and save the model")
    _data_arguments(fit)
    _learn_arguments(fit)
    fit.add_argument("--model", required=True, metavar="FILE", help="the model file to write")
    score = _command(commands, "score", _score, "score rows with a saved model")
    _data_arguments(score)
    score.add_argument("--model", required=True, metavar="FILE", help="a model file")
    score.add_argument("--out", metavar="FILE", help="write CSV to FILE instead of stdout")
    score.add_argument("--fail-on-anomaly", action="store_true", help="exit with 1 when a row is an alarm")
    inspect = _command(commands, "inspect", _inspect, "what a model file holds")
    inspect.add_argument("model", metavar="MODEL")
    add_commands(commands)
    return parser


class _Version(argparse.Action):
    """Looked up only when asked for: reading package metadata takes longer than numpy's import."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        import tsprune

        sys.stdout.write(f"tsprune {tsprune.__version__}\n")
        parser.exit()


def _command(commands: Any, name: str, run: Callable[[Any], int], what: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(
        name, help=what, description=what[0].upper() + what[1:] + ".", epilog=_HOW_TO, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.set_defaults(run=run)
    return made


def _data_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", metavar="DATA", help="a CSV or Parquet file")
    parser.add_argument("--time", metavar="COL", help="the column of times; without one rows are counted")
    parser.add_argument("--label", metavar="COL", help="the column of labels")
    parser.add_argument("--columns", metavar="A,B", help="the columns to use (default: all numeric ones)")
    parser.add_argument("--zone", metavar="ZONE", help="the zone of times without one, such as Europe/Berlin")


def _learn_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--train", metavar="SHARE|TIME", help="learn on the first share of the rows, or on those before a time")
    parser.add_argument(
        "--steps",
        default=DEFAULT_STEPS,
        help="the chain, comma between (default: %(default)s); also detrend, denoise, ocsvm, lof; or auto: a blend of views chosen for the history",
    )
    parser.add_argument(
        "--keep", default="auto", metavar="SHARE", help="share of the detector's parts to keep, or auto (default: %(default)s)"
    )
    parser.add_argument(
        "--alarms-per-week", type=float, metavar="N", help="budget of alarms on the training rows (default: 0.5 %% of the rows)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of everything random (default: %(default)s)")


# -- commands ------------------------------------------------------------------------------------------------------------


def _demo(args: Any) -> int:
    from tsprune.demo import run

    return run(Path(args.out))


def _doctor(args: Any) -> int:
    from tsprune.series.doctor import examine

    loaded = _read(args)
    sys.stdout.write("\n".join(examine(loaded)) + "\n")
    return OK


def _report(args: Any) -> int:
    from tsprune.series.split import DEFAULT_TRAIN, split_at

    write = _writer(args.out) if args.out else None
    frame, loaded = _regular(args)
    if loaded.labels is None and not args.inject:
        raise BadParameter(
            "report needs labels: name their column with --label (1 in an anomaly, 0 elsewhere), or estimate by injected anomalies with --inject."
        )
    labels = None if args.inject else loaded.labels
    n = split_at(frame, DEFAULT_TRAIN if args.train is None else args.train)
    _say(f"learning on the first {n:,} rows (to {frame.index[n - 1]}), judging on the other {len(frame) - n:,}")
    pipeline = _learned(args, frame.iloc[:n])
    report = pipeline.report(
        frame.iloc[n:],
        None if labels is None else labels.iloc[n:],
        metrics=tuple(args.metrics.split(",")),
        n_boot=args.boot,
        random_state=args.seed,
    )
    if args.steps != AUTO_STEPS:
        from tsprune.choose.beside import beside

        report = report.noting(f"{beside(frame.iloc[:n], report, random_state=args.seed)} (--steps {AUTO_STEPS} reports on it).")
    sys.stdout.write(f"{report}\n")
    if write is not None:
        write(report, Path(args.out))
        _say(f"written to {args.out}")
    return OK


def _fit(args: Any) -> int:
    from tsprune.series.split import split_at

    frame, _ = _regular(args)
    n = len(frame) if args.train is None else split_at(frame, args.train)
    model = _learned(args, frame.iloc[:n]).freeze()
    model.save(args.model)
    sys.stdout.write(model.describe() + "\n")
    return OK


def _score(args: Any) -> int:
    import numpy as np

    from tsprune.model.chain import load
    from tsprune.series.clock import times

    model = load(args.model)
    args.columns = args.columns or ",".join(model.columns)
    frame, _ = _regular(args)
    scores = model.anomaly_score(frame[list(model.columns)].to_numpy(np.float64, na_value=np.nan), times(frame.index))
    alarms = model.alarms(scores, times(frame.index))
    table = frame[[]].assign(score=scores, alarm=alarms.astype(int))
    table.to_csv(args.out or sys.stdout, index_label=str(frame.index.name or "row"))
    _say(f"{int(alarms.sum()):,} of {len(alarms):,} rows are above {model.threshold:.6g}; {int(np.isnan(scores).sum()):,} have no score")
    return FOUND if args.fail_on_anomaly and alarms.any() else OK


def _inspect(args: Any) -> int:
    from tsprune.model.chain import load

    sys.stdout.write(load(args.model).describe() + "\n")
    return OK


# -- what the commands share ---------------------------------------------------------------------------------------------


def _read(args: Any) -> Loaded:
    from tsprune.series.io import read_file

    columns = tuple(args.columns.split(",")) if args.columns else None
    return read_file(args.data, time=args.time, label=args.label, columns=columns, zone=args.zone)


def _regular(args: Any) -> tuple[pd.DataFrame, Loaded]:
    """The rows in order; what was found and done is said."""
    from dataclasses import replace

    import numpy as np

    from tsprune.series.clock import times
    from tsprune.series.regular import regularise

    loaded = _read(args)
    regular = regularise(loaded.frame)
    for deed in regular.deeds():
        _say(deed)
    labels = loaded.labels
    if labels is not None and regular.found["n_unsorted"]:
        labels = labels.iloc[np.argsort(times(labels.index), kind="stable")]  # the order that regularise gives the rows
    return regular.frame, replace(loaded, labels=labels)


def _learned(args: Any, history: pd.DataFrame) -> Any:
    """The chain of --steps, or a blend chosen for this history, which says why."""
    if args.steps != AUTO_STEPS:
        return _pipeline(args).fit(history)
    from tsprune.choose import choose

    choice = choose(history, random_state=args.seed)
    _say(str(choice))
    return choice.pipeline


def _pipeline(args: Any) -> Any:
    from tsprune.detect import Threshold
    from tsprune.pipeline import Pipeline

    steps: list[Any] = [_step(word.strip(), args) for word in args.steps.split(",")]
    if args.alarms_per_week is not None:
        steps.append(Threshold(alarms_per_week=args.alarms_per_week))
    return Pipeline(steps)


def _step(word: str, args: Any) -> Any:
    from tsprune import features, signal
    from tsprune.detect import SHORT_NAMES
    from tsprune.prune import Guard, Pruned

    stages: dict[str, Callable[[], Any]] = {
        "deseason": signal.Deseason,
        "detrend": signal.Detrend,
        "denoise": signal.Denoise,
        "windows": features.Windows,
        "select": features.SelectFeatures,
    }
    if word in stages:
        return stages[word]()
    if word not in SHORT_NAMES:
        raise BadParameter(f"steps holds {word!r}; it is of {', '.join([*stages, *SHORT_NAMES])}.")
    if args.keep == "auto":
        return Pruned(word, guard=Guard(), random_state=args.seed)
    try:
        keep = float(args.keep)
    except ValueError as error:
        raise BadParameter(f"keep is {args.keep!r}; it is a share in (0, 1], or auto.") from error
    return Pruned(word, keep=keep, guard=None, random_state=args.seed)


#: How a report is written, by the ending of the file.
_WRITERS: dict[str, Callable[[Any, Path], object]] = {
    ".html": lambda report, path: report.to_html(path),
    ".json": lambda report, path: path.write_text(report.to_json(), encoding="utf-8"),
    ".csv": lambda report, path: report.to_frame().to_csv(path, index=False),
}


def _writer(out: str) -> Callable[[Any, Path], object]:
    if Path(out).suffix not in _WRITERS:
        raise BadParameter(f"out is {out!r}; it ends with .html, .json or .csv.")
    return _WRITERS[Path(out).suffix]


if __name__ == "__main__":
    sys.exit(main())
