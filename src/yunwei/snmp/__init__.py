"""SNMP v2c and v3: codec, client, agent, traps and capture files; a library usable on its own."""
