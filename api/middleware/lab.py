# SPDX-License-Identifier: Apache-2.0
"""A minimal pipeline: a filter that logs, and an application that answers.

The options of both come from the ini file (``etc/pileus/lab-paste.ini``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from oslo_utils import strutils

LOG = logging.getLogger(__name__)


class LogRequest:
    """A filter that logs each call and passes the request on."""

    def __init__(self, app: Callable[..., Any],
                 options: Mapping[str, str]) -> None:
        self._app = app
        LOG.info('Log filter created with %s',
                 strutils.mask_dict_password(dict(options)))

    def __call__(self, environ: dict[str, Any],
                 start_response: Callable[..., Any]) -> Iterable[bytes]:
        LOG.info('Log filter called')
        return self._app(environ, start_response)

    @classmethod
    def factory(cls, global_conf: Mapping[str, str], **options: str
                ) -> Callable[[Callable[..., Any]], LogRequest]:
        """``paste.filter_factory``."""
        return lambda app: cls(app, options)


class ShowVersion:
    """An application that answers the configured version as plain text."""

    def __init__(self, version: str) -> None:
        LOG.info('Version app created with version %s', version)
        self._text = f'Paste Deploy LAB: Version = {version}'.encode()

    def __call__(self, environ: dict[str, Any],
                 start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response('200 OK', [
            ('Content-Type', 'text/plain'),
            ('Content-Length', str(len(self._text)))])
        return [self._text]

    @classmethod
    def factory(cls, global_conf: Mapping[str, str], version: str = ''
                ) -> ShowVersion:
        """``paste.app_factory``."""
        return cls(version)
