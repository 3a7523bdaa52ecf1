# SPDX-License-Identifier: Apache-2.0
"""Where our server and the tests of ``eventlet.wsgi`` part, and why.

A test stands in ``DEVIATIONS`` because it asks for the contrary of RFC 9112,
RFC 9110 or PEP 3333 as we hold to them, or for something that only eventlet
has. One that passes nevertheless fails the run, so the list cannot grow old.
"""

from __future__ import annotations

_OWN_LOG = ('looks for an access line in the file given as log=; the access '
            'line is the application\'s, and has a shape of its own')
_EXTENSION = 'leans on an extension to WSGI that only eventlet has: '
_STRICT = 'its application breaks PEP 3333: '

DEVIATIONS: dict[str, str] = {
    'test_012_ssl_server': _STRICT + 'the headers are a dict',
    'test_018b_http_10_keepalive_framing':
        'wants a close because of Expect in HTTP/1.0, where RFC 9110 10.1.1 '
        'has it ignored; the body is read past and the connection kept',
    'test_020_x_forwarded_for': _OWN_LOG,
    'test_024_expect_100_continue':
        'wants 100 Continue though the body is there, which RFC 9110 10.1.1 '
        'lets a server leave out; an early close lingers for up to a second',
    'test_024a_expect_100_continue_with_headers':
        _EXTENSION + 'headers on 100 Continue',
    'test_024b_expect_100_continue_with_headers_multiple_chunked':
        _EXTENSION + 'headers on 100 Continue',
    'test_024c_expect_100_continue_with_headers_multiple_nonchunked':
        _EXTENSION + 'headers on 100 Continue',
    'test_025_accept_errors':
        'calls accept() with the listening socket shut down and looks for '
        'the error in the words of eventlet',
    'test_026_log_format': _OWN_LOG,
    'test_029_posthooks': _EXTENSION + 'eventlet.posthooks',
    'test_030_reject_long_header_lines': 'wants 400 where RFC 6585 has 431',
    'test_031_reject_large_headers': 'wants 400 where RFC 6585 has 431',
    'test_aborted_post_io_error': _EXTENSION + 'eventlet.posthooks',
    'test_chunked_readline_wsgi_not_override_minimum_chunk_size':
        'wants small pieces gathered (minimum_chunk_size); each piece is '
        'sent when it is made',
    'test_content_length_and_transfer_encoding_escape_hatch':
        'turns the refusal of Content-Length beside Transfer-Encoding off; '
        'there is no such switch',
    'test_debug':
        'wants a 500 without a body; an error document is always sent and '
        'never shows more than the request id',
    'test_dirt': 'has a NUL in a chunk extension, which is refused',
    'test_do_not_close_non_idle_connections':
        'waits on a pool of its own (custom_pool=) for the server\'s end; '
        'connections here are not in a pool',
    'test_header_name_capitalization':
        _STRICT + 'a header name is no token; and names are sent as given',
    'test_headers_raw': _EXTENSION + 'headers_raw',
    'test_iterable_app_keeps_socket_open_unless_connection_close_sent':
        'wants an empty reply chunked; it has Content-Length: 0',
    'test_log_unix_address': _OWN_LOG,
    'test_partial_writes_are_handled':
        _STRICT + 'an int for a header value, a str for a body',
    'test_server_keepalive_sent_in_headers':
        'wants the Keep-Alive header, which no current RFC defines',
    'test_server_socket_timeout':
        'wants a slow head answered with silence; it is answered with 408',
    'test_timeouts_in_app_call':
        'wants a 500 after a first piece of the body; that piece was sent, '
        'so the connection is cut',
    'test_unicode_with_nonascii_characters_raises_error':
        _STRICT + 'a str for a piece of the body',
    'test_unicode_with_only_ascii_characters_works':
        _STRICT + 'a str for a piece of the body',
    'test_zero_length_chunked_response':
        'wants an empty reply chunked; it has Content-Length: 0',
}

#: Tests that leave out Host or send chunks in HTTP/1.0 by the way: they are
#: given requests that a strict server reads, and then have to pass.
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
