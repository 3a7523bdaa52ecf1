# SPDX-License-Identifier: Apache-2.0
"""Responses: records and errors become JSON documents."""
