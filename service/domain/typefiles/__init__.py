# SPDX-License-Identifier: Apache-2.0
"""Read YAML type files into a catalogue, or report all of their mistakes."""
