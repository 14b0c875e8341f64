"""The vendor engine: one YAML per vendor family turns raw answers into observations, parts and identity.

No Django, no I/O but reading the vendor files: a collector uses it without a database, the tests without a network.
`catalogue.load` compiles the files once; `apply_snmp`, `apply_redfish` and `apply_ssh` are pure functions of their input.
"""

from yunwei.inspect.vendor.catalogue import Catalogue, load, shipped
from yunwei.inspect.vendor.compiled import TablePlan, VendorFile
from yunwei.inspect.vendor.errors import VendorFileError
from yunwei.inspect.vendor.reading import CheckOutput, Reading, SnmpData, SnmpValue
from yunwei.inspect.vendor.redfish import apply_redfish
from yunwei.inspect.vendor.schema import Quirks
from yunwei.inspect.vendor.snmp import apply_snmp
from yunwei.inspect.vendor.ssh import apply_ssh

__all__ = [
    "Catalogue",
    "CheckOutput",
    "Quirks",
    "Reading",
    "SnmpData",
    "SnmpValue",
    "TablePlan",
    "VendorFile",
    "VendorFileError",
    "apply_redfish",
    "apply_snmp",
    "apply_ssh",
    "load",
    "shipped",
]
