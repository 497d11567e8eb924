"""The command line: every failure becomes one line and an exit code. Holds no business logic."""

from __future__ import annotations

import errno
import gc
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ctsync import __version__
from ctsync.cli.app import App
from ctsync.cli.commands import COMMANDS, LazyGroup
from ctsync.errors import ConfigError, CtsyncError
from ctsync.text import for_log, for_terminal

COLLECT_AFTER = 200_000
INTERNAL_ERROR = 70
CANNOT_WRITE = 74
INTERRUPTED = 130
# what a write to stdout fails with where it leads to a full or broken disk
_OUTPUT_FAILS = {errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT}
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
    """Turns every failure into one line and the right exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run as click does, but tell what was typed wrong in one line."""
        # a question makes a hundred thousand objects that live as long as it does: to look
        # through them for cycles after every 700 new ones is a tenth of its time
        gc.set_threshold(COLLECT_AFTER)
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, False, **extra)
        try:
            code = super().main(args, prog_name, complete_var, False, **extra)
        except click.exceptions.NoArgsIsHelpError as asked:
            asked.show()
            code = asked.exit_code
        except click.ClickException as error:
            _say(f"ctsync: {_told(error)}")
            code = error.exit_code
        except click.Abort:
            _say("ctsync: stopped")
            code = INTERRUPTED
        except OSError as error:
            code = _tell_unwritten(error)
        gc.freeze()  # nor are they looked through at the end, for which the process would wait
        sys.exit(code if isinstance(code, int) else 0)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read the arguments; a reader of the help that went away ends it quietly."""
        try:
            return super().make_context(*args, **extra)
        except BrokenPipeError:
            _forget_output()
            sys.exit(0)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; tell errors on stderr, with a traceback only under -v."""
        try:
            return super().invoke(ctx)
        except CtsyncError as error:
            self._tell_error(ctx, error)
            ctx.exit(error.exit_code)
        except BrokenPipeError:
            # the reader went away (| head): quiet, as every filter is
            _forget_output()
            ctx.exit(0)
        except KeyboardInterrupt:
            _say("ctsync: stopped")
            ctx.exit(INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except OSError as error:
            if error.errno not in _OUTPUT_FAILS or error.filename is not None:
                self._tell_error(ctx, error)
                ctx.exit(INTERNAL_ERROR)
            ctx.exit(_tell_unwritten(error))
        except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback unasked
            self._tell_error(ctx, error)
            ctx.exit(INTERNAL_ERROR)

    @staticmethod
    def _tell_error(ctx: click.Context, error: Exception) -> None:
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


def _told(error: click.ClickException) -> str:
    """One line: what is wrong, and whose help says what would be right."""
    said = for_log(" ".join(error.format_message().split())).rstrip(".")
    names: list[str] = []
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    while ctx is not None and ctx.parent is not None:
        names.insert(0, ctx.info_name or "")
        ctx = ctx.parent
    return f"{said} (see {' '.join(['ctsync', *names, '--help'])})"


def _tell_unwritten(error: OSError) -> int:
    _forget_output()
    _say(f"ctsync: cannot write the output: {error.strerror}")
    return CANNOT_WRITE


def _forget_output() -> None:
    """Let what is still to be written to stdout go nowhere: nobody can have it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
    help="Settings file (default: $CTSYNC_CONFIG, ./ctsync.toml, then the user's).",
)
@click.option(
    "--database", "database_url", metavar="URL", help="Database URL (default: from the settings)."
)
@click.option("-v", "--verbose", count=True, help="Say more; twice for every request.")
@click.version_option(__version__, prog_name="ctsync")
@click.pass_context
def main(
    ctx: click.Context, config_path: Path | None, database_url: str | None, verbose: int
) -> None:
    """Watch ClinicalTrials.gov records: keep every version, say what changed.

    Start with: ctsync watch add NCT03389919 && ctsync sync
    """
    app = App(config_path=config_path, database_url=database_url, verbose=verbose)
    app.start_logging()
    ctx.obj = app


def _say(words: str) -> None:
    """Write to stderr; `cli.output` would import what the help need not wait for."""
    click.echo(words, err=True)
