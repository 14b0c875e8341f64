"""The same instance and people as the pages' tests."""

from __future__ import annotations

from tests.ui.conftest import contract, people

__all__ = ["contract", "people"]
