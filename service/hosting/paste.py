# SPDX-License-Identifier: Apache-2.0
"""Load the WSGI application from a PasteDeploy file.

The process names an entry of the ini file and gets an application; it does not
import the application itself. Every failure (a missing file or entry, a
factory that cannot be imported or raises) becomes a StartError.
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


def load(conf: cfg.ConfigOpts, handover_path: str = '', *, check: bool = False
         ) -> WSGIApplication:
    """Return the application ``[api] app`` of the file ``[api] paste_config``.

    ``handover_path`` is the path of a SharedMemory. A ``check`` loads the
    application without changing anything.

    Raises StartError with a line that names the file and the entry, since a
    factory may raise anything. Its cause is the exception, for ``--debug``.
    Mistakes in type files are listed in their own words, a line each.
    """
    path, name = config_files.find(conf, 'api', 'paste_config'), conf.api.app
    LOG.debug('loading the app "%s" of %s', name, path)
    loader = None
    try:
        loader = _Loader(path)
        app = loader.load(name, {**config_files.to_paste(conf),
                                 config_files.LOAD_ID: secrets.token_hex(8),
                                 config_files.HANDOVER: handover_path,
                                 config_files.CHECK_ONLY:
                                     'yes' if check else ''})
    except StartError:
        raise
    except DeclarationError as exc:
        raise StartError(str(exc)) from exc
    except Exception as exc:
        entry = loader.entry if loader else None
        raise StartError(_message(path, name, entry, exc)) from exc
    LOG.debug('loaded the app "%s": %s', name, type(app).__name__)
    return app


class _Loader(loadwsgi.ConfigLoader):
    """A loader that records which entry it was loading when an error arose.

    PasteDeploy's exceptions do not name the entry, and any filter of a
    pipeline can raise.
    """

    entry: str | None = None

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
        """Record the entry while it is loaded; keep it if loading fails."""
        before, self.entry = self.entry, name
        yield
        self.entry = before


def _message(path: str, name: str, entry: str | None, exc: Exception) -> str:
    inside = f' in its entry "{entry}"' if entry not in (None, name) else ''
    reason = ' '.join(_reason(exc).split())
    return f'{path}: cannot load the app "{name}"{inside}: {reason}'


def _reason(exc: Exception) -> str:
    """Return the text of the exception, with class and place if that helps."""
    if isinstance(exc, ImportError):
        return f'cannot import: {exc}'
    if type(exc) is LookupError or isinstance(exc, configparser.Error):
        return str(exc)
    return f'{type(exc).__name__}: {exc} (raised at {_place(exc)})'


def _place(exc: Exception) -> str:
    traceback: TracebackType | None = exc.__traceback__
    place = 'an unknown place'
    while traceback is not None:
        place = f'{traceback.tb_frame.f_code.co_filename}:' \
                f'{traceback.tb_lineno}'
        traceback = traceback.tb_next
    return place
