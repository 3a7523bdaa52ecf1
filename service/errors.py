# SPDX-License-Identifier: Apache-2.0
"""Why the service could not start, in one line an operator can act on."""


class StartError(Exception):
    """The service cannot start or reload as configured.

    The text is the whole message: it names the file, the option and the
    value, what was wrong and what would do. Commands print it on stderr, log
    it, and end with status 1.
    """
