"""Errors of the assets room."""

from __future__ import annotations

from yunwei.kernel.errors import YunweiError


class AssetError(YunweiError):
    """An inventory, an identity or a credential that cannot be accepted as it is."""


class CredentialError(AssetError):
    """A credential that cannot be stored or opened. Names fields, never their values."""


class TableError(AssetError):
    """A table that cannot be read at all; single bad rows are problems in the report instead."""


class IdentityError(AssetError):
    """An identity that cannot be confirmed or refused like that."""
