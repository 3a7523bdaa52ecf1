# SPDX-License-Identifier: Apache-2.0
"""Type files: from YAML to a catalogue, every mistake at once."""
