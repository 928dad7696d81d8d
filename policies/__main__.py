"""Starts the policy pack's server. The engine runs this file; it never returns, so everything else lies in modules."""

from pulumi_policy import EnforcementLevel, PolicyPack

from policies.adapter import Adapter
from policies.catalogue import ALL

PolicyPack(name="crypto", policies=Adapter(ALL).policies(), enforcement_level=EnforcementLevel.MANDATORY)
