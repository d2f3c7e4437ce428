"""The commands that a scheduler and the person on duty use.

Alerts go to stdout, a log of JSON lines to stderr.  Exit codes: 0 ok, 1 alarm rows (only with --fail-on-anomaly), 2 usage or job
file, 3 rows missing or stale, 4 model invalid, 5 another run is at work, 75 temporary: the next run goes on from here.
"""

from __future__ import annotations

import argparse
import faulthandler
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsprune.errors import TsPruneError
from tsprune.monitor.errors import FOUND, OK, BadJob, Stopped, exit_code

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_CODES = "exit codes: 0 ok, 1 alarm rows (with --fail-on-anomaly), 2 job file, 3 rows missing, 4 model, 5 locked, 75 temporary: run again"


def add_commands(commands: Any) -> None:
    """Add `job init|check`, `run`, `status`, `rollback`, `silence` and `ack` to the commands of a parser."""
    job = commands.add_parser("job", help="write a job file, or check one", description="Write a job file, or check one.")
    parts = job.add_subparsers(title="commands", metavar="COMMAND", required=True)
    init = _command(parts, "init", _init, "write a job file with every section explained")
    init.add_argument("--force", action="store_true", help="replace a file that is there")
    _command(parts, "check", _check, "reach everything that a run needs, and change nothing")

    run = _command(commands, "run", _run, "score what is new, keep it, and tell whom it concerns")
    run.add_argument(
        "--as-of", metavar="TIME", help="take this time for now (ISO, UTC where no zone is given): back-fills come out the same every time"
    )
    run.add_argument("--dry-run", action="store_true", help="write nothing; print what would be told")
    run.add_argument(
        "--wait", type=float, default=0.0, metavar="SECONDS", help="wait so long for another run of this job (default: %(default)g)"
    )
    run.add_argument("--fail-on-anomaly", action="store_true", help="exit with 1 when a new row is an alarm")

    status = _command(commands, "status", _status, "last success, lag, alerts, messages that wait, model, drift")
    form = status.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one line of JSON")
    form.add_argument("--html", metavar="FILE", help="write a page")

    _command(commands, "rollback", _rollback, "put the model before to work again")

    silence = _command(commands, "silence", _silence, "tell nobody of some series for a while")
    silence.add_argument("--series", default="*", metavar="PATTERN", help="names, with * and ? (default: all)")
    length = silence.add_mutually_exclusive_group(required=True)
    length.add_argument("--for", dest="duration", metavar="DURATION", help="such as 2h")
    length.add_argument("--end", action="store_true", help="end the silence of this pattern")
    silence.add_argument("--reason", default="", help="for whoever asks")

    ack = _command(commands, "ack", _ack, "say that somebody looks after an alert")
    ack.add_argument("key", metavar="KEY", help="the alert's key, or how it begins")
    ack.add_argument("--note", default="seen", help="who, or why")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one of these commands alone; the exit code is returned."""
    parser = argparse.ArgumentParser(prog="tsprune", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_commands(parser.add_subparsers(title="commands", metavar="COMMAND", required=True))
    args = parser.parse_args(argv)
    return int(args.run(args))


def _command(commands: Any, name: str, do: Callable[[Any], int], what: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".", epilog=_CODES)
    made.add_argument("job", metavar="JOB.toml", type=Path)
    made.set_defaults(run=lambda args: _guarded(do, args))
    return made


def _guarded(do: Callable[[Any], int], args: Any) -> int:
    """Errors as one line on stderr and an exit code."""
    from tsprune.monitor.secrets import mask

    try:
        return do(args)
    except (TsPruneError, OSError, Stopped) as error:
        sys.stderr.write(f"tsprune: {' '.join(mask(str(error)).split())}\n")
        return exit_code(error)
    except Exception as error:  # an error of ours: Python's own exit code for it would mean "alarm rows"
        sys.stderr.write(mask(traceback.format_exc()))
        return exit_code(error)


def _init(args: Any) -> int:
    from tsprune.monitor.fields import name
    from tsprune.monitor.template import TEMPLATE

    if args.job.exists() and not args.force:
        raise BadJob(f"{args.job} is there already; --force replaces it.")
    title = name(args.job.stem.replace(" ", "-"))
    args.job.write_text(TEMPLATE.format(name=title, file=args.job.name), encoding="utf-8")
    sys.stderr.write(f"written: {args.job}; edit it, then: tsprune job check {args.job}\n")
    return OK


def _check(args: Any) -> int:
    from tsprune.monitor.job import Job

    sys.stdout.writelines(f"{line}\n" for line in Job.load(args.job).check())
    return OK


def _run(args: Any) -> int:
    from tsprune.monitor.job import Job
    from tsprune.monitor.moments import parse_time
    from tsprune.monitor.signals import stoppable

    with suppress(OSError, ValueError, AttributeError):  # under some schedulers stderr is no file
        faulthandler.enable()
    as_of = None if args.as_of is None else parse_time(args.as_of)
    with stoppable():
        result = Job.load(args.job).run(as_of, dry_run=args.dry_run, wait=args.wait, log=sys.stderr)
    if args.dry_run:
        import json

        sys.stdout.writelines(json.dumps(alert) + "\n" for alert in result.alerts)
    return FOUND if result.exit_code == OK and args.fail_on_anomaly and result.n_alarms else result.exit_code


def _status(args: Any) -> int:
    from tsprune.monitor.job import Job

    status = Job.load(args.job).status()
    if args.html:
        Path(args.html).write_text(status.to_html(), encoding="utf-8")
        return OK
    sys.stdout.write(f"{status.to_json() if args.json else status}\n")
    return OK


def _rollback(args: Any) -> int:
    from tsprune.monitor.job import Job

    sys.stdout.write(Job.load(args.job).rollback() + "\n")
    return OK


def _silence(args: Any) -> int:
    from tsprune.monitor.job import Job
    from tsprune.monitor.moments import parse_duration

    job = Job.load(args.job)
    told = job.unsilence(args.series) if args.end else job.silence(parse_duration(args.duration), args.series, args.reason)
    sys.stdout.write(told + "\n")
    return OK


def _ack(args: Any) -> int:
    from tsprune.monitor.job import Job

    sys.stdout.write(Job.load(args.job).acknowledge(args.key, args.note) + "\n")
    return OK


if __name__ == "__main__":
    sys.exit(main())
