# SPDX-License-Identifier: Apache-2.0
"""The tests of ``eventlet.wsgi`` that our server fails, with the reasons.

A test is in ``DEVIATIONS`` because it contradicts RFC 9112, RFC 9110 or PEP
3333, or because it needs a feature that only eventlet has. A listed test that
passes fails the run, so the list stays up to date.
"""

from __future__ import annotations

_OWN_LOG = ('expects an access log line in the file given as log=; the '
            'application writes that line, in a different format')
_EXTENSION = 'needs an extension to WSGI that only eventlet has: '
_STRICT = 'its application violates PEP 3333: '

DEVIATIONS: dict[str, str] = {
    'test_012_ssl_server': _STRICT + 'the headers are a dict',
    'test_018b_http_10_keepalive_framing':
        'expects a close because of Expect in HTTP/1.0, which RFC 9110 10.1.1 '
        'says to ignore; the server discards the body and keeps the '
        'connection',
    'test_020_x_forwarded_for': _OWN_LOG,
    'test_024_expect_100_continue':
        'expects 100 Continue though the body has arrived, where RFC 9110 '
        '10.1.1 lets a server omit it; an early close lingers for up to a '
        'second',
    'test_024a_expect_100_continue_with_headers':
        _EXTENSION + 'headers on 100 Continue',
    'test_024b_expect_100_continue_with_headers_multiple_chunked':
        _EXTENSION + 'headers on 100 Continue',
    'test_024c_expect_100_continue_with_headers_multiple_nonchunked':
        _EXTENSION + 'headers on 100 Continue',
    'test_025_accept_errors':
        'calls accept() on a listening socket that was shut down, and expects '
        'the error text of eventlet',
    'test_026_log_format': _OWN_LOG,
    'test_029_posthooks': _EXTENSION + 'eventlet.posthooks',
    'test_030_reject_long_header_lines': 'expects 400 where RFC 6585 has 431',
    'test_031_reject_large_headers': 'expects 400 where RFC 6585 has 431',
    'test_aborted_post_io_error': _EXTENSION + 'eventlet.posthooks',
    'test_chunked_readline_wsgi_not_override_minimum_chunk_size':
        'expects small pieces to be joined (minimum_chunk_size); the server '
        'sends each piece at once',
    'test_content_length_and_transfer_encoding_escape_hatch':
        'turns off the refusal of Content-Length with Transfer-Encoding; '
        'there is no such option',
    'test_debug':
        'expects a 500 without a body; the server always sends an error '
        'document, with no detail but the request id',
    'test_dirt': 'sends a NUL in a chunk extension, which is refused',
    'test_do_not_close_non_idle_connections':
        'waits for the server\'s end on its own pool (custom_pool=); our '
        'connections are not in a pool',
    'test_header_name_capitalization':
        _STRICT + 'a header name is not a token; names are sent unchanged',
    'test_headers_raw': _EXTENSION + 'headers_raw',
    'test_iterable_app_keeps_socket_open_unless_connection_close_sent':
        'expects an empty reply to be chunked; it has Content-Length: 0',
    'test_log_unix_address': _OWN_LOG,
    'test_partial_writes_are_handled':
        _STRICT + 'an int for a header value, a str for a body',
    'test_server_keepalive_sent_in_headers':
        'expects the Keep-Alive header, which no current RFC defines',
    'test_server_socket_timeout':
        'expects no answer to a slow head; the server answers with 408',
    'test_timeouts_in_app_call':
        'expects a 500 after the first piece of the body; that piece has been '
        'sent, so the connection is cut',
    'test_unicode_with_nonascii_characters_raises_error':
        _STRICT + 'a str for a piece of the body',
    'test_unicode_with_only_ascii_characters_works':
        _STRICT + 'a str for a piece of the body',
    'test_zero_length_chunked_response':
        'expects an empty reply to be chunked; it has Content-Length: 0',
}

#: Tests whose requests lack Host or have chunks in HTTP/1.0, though that is
#: not what they test. The requests are corrected, and the tests must pass.
MODERNISED = frozenset((
    'test_aborted_chunked_post',
    'test_aborted_chunked_post_bad_chunks',
    'test_aborted_chunked_post_between_chunks',
    'test_aborted_post_io_error',
    'test_chunked_readline',
    'test_chunked_readline_from_input',
    'test_chunked_readlines_from_input',
    'test_chunked_readline_wsgi_not_override_minimum_chunk_size',
    'test_chunked_readline_wsgi_override_minimum_chunk_size',
    'test_dirt',
    'test_iterable_app_keeps_socket_open_unless_connection_close_sent',
    'test_no_transfer_encoding_in_empty_response',
    'test_short_read',
    'test_short_read_with_content_length',
    'test_short_read_with_zero_content_length',
    'test_zero_length_chunked_response',
))
