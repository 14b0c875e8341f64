"""Attacks on the evidence of a real instance, by somebody who owns its database, its disk and its signing key.

`python -m chaos.evidence FOLDER` runs them against a copy of an instance; every one must be named by `verify.py` or by
the witness, both as the client has them. Attacks are functions of a `World`; each returns a `Told`.
"""
