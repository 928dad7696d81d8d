"""Starts the policy pack's server where the engine runs this folder (``--policy-pack policies``). It never returns."""

from policies.protocol.server import main

main()
