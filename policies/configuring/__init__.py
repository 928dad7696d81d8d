"""What a stack says about the pack: the level of a rule, its parameters, its waivers. It tightens; it never loosens."""
