"""云维 (yunwei): runs the operation and maintenance of an e-government cloud under a contract, and proves it."""
