"""SNMP v2c and v3: codec, client, agent, notifications and capture files; a library usable on its own.

It needs `cryptography` and, of this product, only `kernel.errors` and `kernel.i18n` (pure Python). The way in:

- `client.SnmpClient`: reading devices; `columns` holds the rules of what counts as a table's proven end;
- `agent.answer` with `agent.Table` and `agent.Agent`: being a device (the lab's farm, tests);
- `trap.Receiver`: traps and informs;
- `snmprec`: capture files;
- below them `ber` (encoding), `message` (v1/v2c/v3 messages), `usm` (keys, digests, encryption), `security` (the
  asking side of v3), `authority` (the asked side).

Everything raises `errors.SnmpError` or one of its kinds, whatever the network sends.
"""
