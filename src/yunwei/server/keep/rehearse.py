"""A rehearsal of the migrations on a copy, as a process of its own: `python -m yunwei.server.keep.rehearse`.

YUNWEI_INSTANCE names the copy. Prints one JSON object: how many migrations ran, the facts afterwards, and what does not
follow from the ledger then.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from yunwei.server import instance
from yunwei.server.keep import upgrade


def main() -> int:
    """Migrate the copy and tell of it."""
    instance.setup()
    from yunwei.ledger import audit

    migrated = upgrade.migrate()
    told = {"migrated": migrated, "facts": asdict(upgrade.here()), "audit": [d.subject for d in audit.audit()][:50]}
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
