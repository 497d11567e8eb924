"""Entry point of the command line: turns each failure into one line and an exit code."""

from __future__ import annotations

import gc
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ctsync import __version__
from ctsync.cli.app import App
from ctsync.cli.commands import COMMANDS, LazyGroup
from ctsync.cli.streams import drop_output, open_streams
from ctsync.errors import WRITE_FAILS, ConfigError, CtsyncError, UsageError
from ctsync.text import for_log, for_terminal

COLLECT_AFTER = 200_000
INTERNAL_ERROR = 70
CANNOT_WRITE = 74
INTERRUPTED = 130
EXIT_CODES = """
\b
Exit codes:
  0 ok                          4 registry unreachable or refusing
  1 differences (--exit-code)   5 another writer holds the database
  2 usage or configuration      6 the database cannot be used
  3 partial: something could    7 a delivery is overdue
    not be checked
"""


class CommandLine(LazyGroup):
    """The root command; turns every failure into one line and the right exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run as click does, but report a usage error in one line."""
        # A query creates 100,000 objects that live until it ends: checking them for cycles after
        # every 700 new objects would take a tenth of its time. The cost: a long run, such as the
        # daemon, frees the memory of reference cycles later.
        gc.set_threshold(COLLECT_AFTER)
        open_streams()
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, False, **extra)
        try:
            code = super().main(args, prog_name, complete_var, False, **extra)
        except click.exceptions.NoArgsIsHelpError as asked:
            asked.show()
            code = asked.exit_code
        except click.ClickException as error:
            _say(f"ctsync: {_usage_message(error)}")
            code = error.exit_code
        except click.Abort:
            _say("ctsync: stopped")
            code = INTERRUPTED
        except OSError as error:
            code = _report_output_error(error)
        gc.freeze()  # otherwise the collection at exit delays the end of the process
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; report errors on stderr, with a traceback only under -v."""
        try:
            return super().invoke(ctx)
        except CtsyncError as error:
            self._report_error(ctx, error)
            ctx.exit(error.exit_code)
        except BrokenPipeError as error:
            # the reader closed the pipe (| head): exit quietly, as other filters do
            drop_output(sys.stdout, error)
            ctx.exit(0)
        except KeyboardInterrupt:
            _say("ctsync: stopped")
            ctx.exit(INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except UnicodeEncodeError as error:
            # a path in the settings, which are UTF-8, has a character that the locale lacks
            if error.encoding != sys.getfilesystemencoding():
                self._report_error(ctx, error)
                ctx.exit(INTERNAL_ERROR)
            name = for_log(str(error.object))
            _say(f"ctsync: {name}: not a file name in this locale; set LC_ALL=C.UTF-8")
            ctx.exit(UsageError.exit_code)
        except OSError as error:
            if error.errno not in WRITE_FAILS or error.filename is not None:
                self._report_error(ctx, error)
                ctx.exit(INTERNAL_ERROR)
            ctx.exit(_report_output_error(error))
        except Exception as error:  # noqa: BLE001 - the last handler: show no traceback without -v
            self._report_error(ctx, error)
            ctx.exit(INTERNAL_ERROR)

    @staticmethod
    def _report_error(ctx: click.Context, error: Exception) -> None:
        app = ctx.find_object(App)
        if app is not None and app.verbose:
            _say(for_terminal("".join(traceback.format_exception(error)), multiline=True))
        if isinstance(error, ConfigError):
            for problem in error.problems:
                _say(f"ctsync: {for_log(problem)}")
        elif isinstance(error, CtsyncError):
            _say(f"ctsync: {for_log(str(error))}")
        else:
            what = f"{type(error).__name__}: {for_log(str(error))}"
            _say(f"ctsync: internal error, {what} (-v shows where)")


def _usage_message(error: click.ClickException) -> str:
    """Return one line: what is wrong, and the command whose help explains the usage."""
    message = for_log(" ".join(error.format_message().split())).rstrip(".")
    names: list[str] = []
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    while ctx is not None and ctx.parent is not None:
        names.insert(0, ctx.info_name or "")
        ctx = ctx.parent
    return f"{message} (see {' '.join(['ctsync', *names, '--help'])})"


def _report_output_error(error: OSError) -> int:
    drop_output(sys.stdout, error)
    _say(f"ctsync: cannot write the output: {error.strerror}")
    return CANNOT_WRITE


@click.group(
    cls=CommandLine,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Settings file (default: $CTSYNC_CONFIG, ./ctsync.toml, then your config folder).",
)
@click.option(
    "--database",
    "database_url",
    metavar="FILE",
    help="Database file or URL (default: from the settings).",
)
@click.option("-v", "--verbose", count=True, help="Log more; -vv logs every request.")
@click.version_option(__version__, prog_name="ctsync")
@click.pass_context
def main(
    ctx: click.Context, config_path: Path | None, database_url: str | None, verbose: int
) -> None:
    """Track ClinicalTrials.gov records: keep every version and report what changed.

    Start with: ctsync watch add NCT03389919 && ctsync sync
    """
    app = App(config_path=config_path, database_url=database_url, verbose=verbose)
    app.start_logging()
    ctx.obj = app


def _say(words: str) -> None:
    """Write to stderr; importing `cli.output` for this would slow down --help."""
    click.echo(words, err=True)
