# SPDX-License-Identifier: Apache-2.0
"""PasteDeploy, the seam between the process and what it serves.

The process names an entry of an ini file and gets a WSGI application back;
it never imports one. Whatever can go wrong on the way (no file, no such
entry, a factory that cannot be imported or raises) becomes one StartError.
"""

from __future__ import annotations

import configparser
import contextlib
import secrets
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any
from wsgiref.types import WSGIApplication

from oslo_config import cfg
from oslo_log import log
from paste.deploy import loadwsgi

from service.config import files as config_files
from service.domain.typefiles.type_files import DeclarationError
from service.errors import StartError

LOG = log.getLogger(__name__)


def load(conf: cfg.ConfigOpts, kept: str = '', *, check: bool = False
         ) -> WSGIApplication:
    """The application that ``[api] app`` names in ``[api] paste_config``.

    ``kept`` is the path of a ``service.hosting.handover`` that it shares with
    others. For a ``check`` it is loaded without a change to anything.
    A factory is code from anywhere, so anything may be raised while it runs;
    the operator is owed one line that names the file and the entry for each.
    The exception stays on the StartError as its cause, for ``--debug``. Wrong
    type files are told in their own words, a line each.
    """
    path, name = config_files.find(conf, 'api', 'paste_config'), conf.api.app
    LOG.debug('loading the app "%s" of %s', name, path)
    loader = None
    try:
        loader = _Loader(path)
        app = loader.load(name, {**config_files.to_paste(conf),
                                 config_files.LOAD_ID: secrets.token_hex(8),
                                 config_files.HANDOVER: kept,
                                 config_files.CHECK_ONLY:
                                     'yes' if check else ''})
    except StartError:
        raise
    except DeclarationError as exc:
        raise StartError(str(exc)) from exc
    except Exception as exc:
        at = loader.at if loader else None
        raise StartError(_message(path, name, at, exc)) from exc
    LOG.debug('loaded the app "%s": %s', name, type(app).__name__)
    return app


class _Loader(loadwsgi.ConfigLoader):
    """A loader that knows which entry it was at when something raised.

    PasteDeploy's exceptions do not say, and a filter whose factory raises
    could be any of a pipeline.
    """

    at: str | None = None

    def load(self, name: str, global_conf: Mapping[str, str]
             ) -> WSGIApplication:
        self.update_defaults(global_conf, overwrite=False)
        context = self.get_context(loadwsgi.APP, name, global_conf)
        return context.create()

    def get_context(self, object_type: Any, name: str | None = None,
                    global_conf: Mapping[str, str] | None = None) -> Any:
        if self.absolute_name(name):
            return super().get_context(object_type, name, global_conf)
        with self._entry(name or 'main'):
            context = super().get_context(object_type, name, global_conf)
        create = context.create

        def traced() -> Any:
            LOG.debug('building the entry "%s"', name)
            with self._entry(name or 'main'):
                return create()

        context.create = traced
        return context

    @contextlib.contextmanager
    def _entry(self, name: str) -> Iterator[None]:
        """Remember the entry while it is worked on, and where it failed."""
        before, self.at = self.at, name
        yield
        self.at = before


def _message(path: str, name: str, at: str | None, exc: Exception) -> str:
    inside = f' in its entry "{at}"' if at not in (None, name) else ''
    reason = ' '.join(_reason(exc).split())
    return f'{path}: cannot load the app "{name}"{inside}: {reason}'


def _reason(exc: Exception) -> str:
    """The words of the exception, with its kind and place where that helps."""
    if isinstance(exc, ImportError):
        return f'cannot import: {exc}'
    if type(exc) is LookupError or isinstance(exc, configparser.Error):
        return str(exc)
    return f'{type(exc).__name__}: {exc} (raised at {_place(exc)})'


def _place(exc: Exception) -> str:
    trace: TracebackType | None = exc.__traceback__
    place = 'an unknown place'
    while trace is not None:
        place = f'{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}'
        trace = trace.tb_next
    return place
