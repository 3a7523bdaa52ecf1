# SPDX-License-Identifier: Apache-2.0
"""The controllers: classes whose methods answer the routes."""
