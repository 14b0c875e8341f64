"""The same instance and people as the pages' tests."""

from __future__ import annotations

from tests.ui.conftest import CONTRACTS, contract, people

__all__ = ["CONTRACTS", "contract", "people"]
