"""``crypto-policy``: the rules over what a file says, without a cluster, a login or the engine."""
