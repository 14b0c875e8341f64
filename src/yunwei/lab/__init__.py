"""The lab: equipment that answers by the real protocols on loopback, with faults that can be switched.

Only the doors and tests import it. `Farm` (this process) and `FarmProcess` (a child) play any number of SNMP agents
and Redfish BMCs; `real` starts a real snmpd and a real sshd. Nothing here can be reached from another machine.
"""
