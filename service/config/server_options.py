# SPDX-License-Identifier: Apache-2.0
"""The options of the HTTP server: limits, processes, sockets and TLS."""

from __future__ import annotations

import os

from oslo_config import cfg, types

#: Limits and timeouts of the HTTP server.
SERVER = [
    cfg.HostAddressOpt(
        'bind_host', default='127.0.0.1',
        help='The address the API listens on.'),
    cfg.PortOpt(
        'bind_port', default=8088,
        help='The TCP port the API listens on.'),
    cfg.IntOpt(
        'max_body', default=1048576, min=1024, max=1073741824,
        help='The largest request body in bytes; a larger one is refused '
             'with 413.'),
    cfg.IntOpt(
        'max_target', default=8192, min=256, max=65536,
        help='The longest request target (path and query) in bytes; a '
             'longer one is refused with 414.'),
    cfg.IntOpt(
        'max_header_line', default=8192, min=256, max=65536,
        help='The longest header line in bytes; a longer one is refused '
             'with 431.'),
    cfg.IntOpt(
        'max_header_bytes', default=65536, min=1024, max=1048576,
        help='The largest header section in bytes; a larger one is refused '
             'with 431.'),
    cfg.IntOpt(
        'max_header_count', default=100, min=8, max=1000,
        help='The most header lines of a request; more are refused with '
             '431.'),
    cfg.IntOpt(
        'max_chunk_overhead', default=16384, min=1024, max=1048576,
        help='The most bytes of a chunked body that may be framing (sizes, '
             'extensions) and not content; more is refused with 400.'),
    cfg.IntOpt(
        'max_trailer_bytes', default=8192, min=0, max=1048576,
        help='The largest trailer section of a chunked body in bytes; a '
             'larger one is refused with 431. Trailers are read and '
             'dropped.'),
    cfg.IntOpt(
        'max_trailer_count', default=32, min=0, max=1000,
        help='The most trailer lines of a chunked body; more are refused '
             'with 431.'),
    cfg.IntOpt(
        'max_drain', default=65536, min=0, max=16777216,
        help='How many bytes of a body that nobody wants are read to keep '
             'the connection; with more to come it is closed.'),
    cfg.FloatOpt(
        'drain_timeout', default=1.0, min=0.1, max=60,
        help='How many seconds such a rest of a body is waited for.'),
    cfg.FloatOpt(
        'header_timeout', default=10.0, min=0.1, max=600,
        help='How many seconds a request head may take from its first byte '
             'to its last (and a TLS handshake in all); a slower one is '
             'refused with 408.'),
    cfg.FloatOpt(
        'keepalive_timeout', default=75.0, min=0.1, max=3600,
        help='How many seconds a connection may stay without a request '
             'before it is closed.'),
    cfg.IntOpt(
        'min_body_rate', default=500, min=1, max=1073741824,
        help='The slowest a request body may arrive, in bytes a second; a '
             'slower one is refused with 408.'),
    cfg.FloatOpt(
        'body_grace', default=10.0, min=0.1, max=600,
        help='How many seconds a request body may fall behind min_body_rate '
             'before it is refused.'),
    cfg.FloatOpt(
        'body_timeout', default=300.0, min=0.1, max=86400,
        help='How many seconds may be spent in all on waiting for one '
             'request body.'),
    cfg.FloatOpt(
        'write_timeout', default=60.0, min=0.1, max=3600,
        help='How many seconds a client may take to accept one piece of a '
             'reply before the connection is cut.'),
    cfg.IntOpt(
        'max_connections', default=4000, min=4, max=1000000,
        help='The most open connections of one worker. Near it the longest '
             'idle ones are closed; with none idle, new ones wait.'),
    cfg.IntOpt(
        'max_in_flight', default=64, min=1, max=100000,
        help='The most requests one worker carries out at once; further '
             'ones wait.'),
    cfg.IntOpt(
        'max_queued', default=128, min=0, max=1000000,
        help='The most requests of one worker that wait for their turn; '
             'further ones are refused with 503.'),
    cfg.FloatOpt(
        'queue_timeout', default=10.0, min=0.1, max=600,
        help='How many seconds a request waits for its turn before it is '
             'refused with 503.'),
    cfg.IntOpt(
        'reserved_in_flight', default=4, min=0, max=1000,
        help='How many requests for reserved_paths are carried out over and '
             'above max_in_flight.'),
    cfg.ListOpt(
        'reserved_paths', default=['/healthcheck'],
        item_type=types.String(),
        help='The paths that are still answered when the worker is full, '
             'such as those a load balancer probes.'),
    cfg.IntOpt(
        'graceful_shutdown_timeout', default=30, min=0, max=3600,
        help='How many seconds requests in flight are given to end after '
             'SIGTERM.'),
]

#: Worker processes and listening sockets.
PROCESS = [
    cfg.IntOpt(
        'workers', default=len(os.sched_getaffinity(0)), min=1, max=1024,
        sample_default='<number of CPUs>',
        help='How many worker processes serve requests.'),
    cfg.IntOpt(
        'worker_timeout', default=30, min=1, max=3600,
        help='How many seconds a worker may go without a sign of life '
             'before it is killed and replaced.'),
    cfg.IntOpt(
        'backlog', default=2048, min=16, max=65535,
        help='How many connections may wait to be accepted; the kernel caps '
             'it at net.core.somaxconn.'),
    cfg.StrOpt(
        'unix_socket',
        help='The path of a Unix socket to listen on instead of bind_host '
             'and bind_port.'),
    cfg.StrOpt(
        'unix_socket_mode', default='0660', regex='^0?[0-7]{3}$',
        help='The permissions of unix_socket, as an octal number.'),
]

#: TLS; without a certificate the server speaks plain HTTP.
SSL = [
    cfg.StrOpt(
        'cert_file',
        help='The PEM file of the certificate and its chain; naming one '
             'turns TLS on.'),
    cfg.StrOpt(
        'key_file',
        help='The PEM file of the private key of cert_file, without a '
             'passphrase.'),
    cfg.StrOpt(
        'ca_file',
        help='The PEM file of the authorities whose client certificates are '
             'accepted; naming one makes a client certificate obligatory.'),
]
