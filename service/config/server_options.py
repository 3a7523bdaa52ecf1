# SPDX-License-Identifier: Apache-2.0
"""The options of the HTTP server: limits, processes, sockets and TLS."""

from __future__ import annotations

import os

from oslo_config import cfg, types

#: Limits and timeouts of the HTTP server.
SERVER = [
    cfg.HostAddressOpt(
        'bind_host', default='127.0.0.1',
        help='Address that the API listens on. 0.0.0.0 and :: are all '
             'addresses of the machine.'),
    cfg.PortOpt(
        'bind_port', default=8088,
        help='TCP port that the API listens on.'),
    cfg.IntOpt(
        'max_body', default=1048576, min=1024, max=1073741824,
        help='Largest request body in bytes. A larger body is refused with '
             '413.'),
    cfg.IntOpt(
        'max_target', default=8192, min=256, max=65536,
        help='Longest request target (path and query) in bytes. A longer '
             'one is refused with 414.'),
    cfg.IntOpt(
        'max_header_line', default=8192, min=256, max=65536,
        help='Longest header line in bytes. A longer one is refused with '
             '431.'),
    cfg.IntOpt(
        'max_header_bytes', default=65536, min=1024, max=1048576,
        help='Most bytes in all header lines of a request together. More '
             'are refused with 431.'),
    cfg.IntOpt(
        'max_header_count', default=100, min=8, max=1000,
        help='Most header lines in a request. More are refused with 431.'),
    cfg.IntOpt(
        'max_chunk_overhead', default=16384, min=1024, max=1048576,
        help='Most bytes of a chunked request body that may be framing '
             '(chunk sizes and extensions) instead of content. More are '
             'refused with 400.'),
    cfg.IntOpt(
        'max_trailer_bytes', default=8192, min=0, max=1048576,
        help='Most bytes in the trailers of a chunked request body. More '
             'are refused with 431. The server reads trailers and discards '
             'them. 0 refuses every trailer.'),
    cfg.IntOpt(
        'max_trailer_count', default=32, min=0, max=1000,
        help='Most trailers of a chunked request body. More are refused '
             'with 431. 0 refuses every trailer.'),
    cfg.IntOpt(
        'max_drain', default=65536, min=0, max=16777216,
        help='Most bytes that the server reads and discards of a request '
             'body that the application did not read, to keep the '
             'connection. If the body is longer, the server closes the '
             'connection. 0 always closes it.'),
    cfg.FloatOpt(
        'drain_timeout', default=1.0, min=0.1, max=60,
        help='Seconds that the server waits for the rest of a body that it '
             'discards (max_drain). Then it closes the connection.'),
    cfg.FloatOpt(
        'header_timeout', default=10.0, min=0.1, max=600,
        help='Seconds that a request head may take from its first byte to '
             'its last. A slower one is refused with 408. The same time '
             'limits a TLS handshake.'),
    cfg.FloatOpt(
        'keepalive_timeout', default=75.0, min=0.1, max=3600,
        help='Seconds that a connection stays open without a request.'),
    cfg.IntOpt(
        'min_body_rate', default=500, min=1, max=1073741824,
        help='Least rate of a request body, in bytes per second. A body '
             'that falls behind by more than body_grace is refused with '
             '408.'),
    cfg.FloatOpt(
        'body_grace', default=10.0, min=0.1, max=600,
        help='Seconds that a request body may fall behind min_body_rate. A '
             'body that falls further behind is refused with 408.'),
    cfg.FloatOpt(
        'body_timeout', default=300.0, min=0.1, max=86400,
        help='Seconds that the server waits in total for one request body. '
             'A body that takes longer is refused with 408.'),
    cfg.FloatOpt(
        'write_timeout', default=60.0, min=0.1, max=3600,
        help='Seconds that a client may take to accept a piece of a reply. '
             'Then the server closes the connection.'),
    cfg.IntOpt(
        'max_connections', default=4000, min=4, max=1000000,
        help='Most open connections of one worker. Near this number the '
             'worker closes the connections that have been idle longest. If '
             'none is idle, new connections wait until one closes.'),
    cfg.IntOpt(
        'max_in_flight', default=64, min=1, max=100000,
        help='Most requests that one worker processes at once. Further '
             'requests wait in a queue.'),
    cfg.IntOpt(
        'max_queued', default=128, min=0, max=1000000,
        help='Most requests in the queue of one worker. Further ones are '
             'refused with 503. 0 refuses every request that cannot start '
             'at once.'),
    cfg.FloatOpt(
        'queue_timeout', default=10.0, min=0.1, max=600,
        help='Seconds that a request waits in the queue. Then it is refused '
             'with 503.'),
    cfg.IntOpt(
        'reserved_in_flight', default=4, min=0, max=1000,
        help='Most requests for reserved_paths that one worker processes in '
             'addition to max_in_flight.'),
    cfg.ListOpt(
        'reserved_paths', default=['/healthcheck'],
        item_type=types.String(),
        help='Paths that are answered even if max_in_flight requests are in '
             'progress, such as the path that a load balancer probes.'),
    cfg.IntOpt(
        'graceful_shutdown_timeout', default=30, min=0, max=3600,
        help='Seconds that requests in progress may take to finish after '
             'SIGTERM. Then their connections are closed.'),
]

#: Worker processes and listening sockets.
PROCESS = [
    cfg.IntOpt(
        'workers', default=len(os.sched_getaffinity(0)), min=1, max=1024,
        sample_default='<number of CPUs>',
        help='Number of worker processes that serve requests. Limits on '
             'connections and requests hold for each worker.'),
    cfg.IntOpt(
        'worker_timeout', default=30, min=1, max=3600,
        help='Seconds after which a worker that shows no sign of life is '
             'killed and replaced.'),
    cfg.IntOpt(
        'backlog', default=2048, min=16, max=65535,
        help='Most connections that wait to be accepted. The kernel reduces '
             'the value to net.core.somaxconn.'),
    cfg.StrOpt(
        'unix_socket',
        help='Path of a Unix socket to listen on, instead of bind_host and '
             'bind_port.'),
    cfg.StrOpt(
        'unix_socket_mode', default='0660', regex='^0?[0-7]{3}$',
        help='Permissions of unix_socket, as an octal number.'),
]

#: TLS; without a certificate the server speaks plain HTTP.
SSL = [
    cfg.StrOpt(
        'cert_file',
        help='PEM file with the certificate and its chain. TLS is on if it '
             'is set.'),
    cfg.StrOpt(
        'key_file',
        help='PEM file with the private key of cert_file, without a '
             'passphrase.'),
    cfg.StrOpt(
        'ca_file',
        help='PEM file with the certificate authorities that sign client '
             'certificates. If it is set, each client must present a '
             'certificate.'),
]
