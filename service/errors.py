# SPDX-License-Identifier: Apache-2.0
"""The error for a service that cannot start or reload."""


class StartError(Exception):
    """The service cannot start or reload with this configuration.

    The text is the complete message. It names file, option and value, the
    problem and the valid values. Commands print it to stderr, log it and exit
    with status 1.
    """
