# SPDX-License-Identifier: Apache-2.0
"""Operations on records, and the rules that every write must satisfy."""
