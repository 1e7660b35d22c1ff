"""Log lines: a phrase and its fields, on stderr; journald's priorities where it listens."""

import logging
import os
import sys

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_PRIORITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class LineFormatter(logging.Formatter):
    """`10:03:07.120 info announcer: vip claimed vip=192.0.2.100 vrid=51`"""

    def __init__(self, process: str, *, journal: bool) -> None:
        super().__init__()
        self._process = process
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        """One line, and a traceback below it where there is one."""
        fields = "".join(f" {key}={_quoted(value)}" for key, value in vars(record).items() if key not in _STANDARD)
        head = f"<{_PRIORITY.get(record.levelno, 6)}>" if self._journal else self._stamp(record)
        line = f"{head}{self._process}: {record.getMessage()}{fields}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line

    def _stamp(self, record: logging.LogRecord) -> str:
        clock = self.formatTime(record, "%H:%M:%S")
        return f"{clock}.{int(record.msecs):03d} {record.levelname.lower()} "


def _quoted(value: object) -> str:
    text = str(value)
    return repr(text) if not text or not text.isprintable() or any(char in text for char in ' "=') else text


def set_up(process: str, level: str = "INFO") -> None:
    """Log lines of this process go to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(process, journal="JOURNAL_STREAM" in os.environ))
    logging.basicConfig(level=level, handlers=[handler], force=True)
