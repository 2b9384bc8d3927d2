"""Imported by the fork server of the drawing processes, and by nothing else.

A process that starts while its command is being interrupted finds nothing to join: that is not worth a traceback.
"""

import sys
from types import TracebackType

_GONE = (FileNotFoundError, ConnectionError, EOFError, KeyboardInterrupt)


def _hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, _GONE):
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _hook
