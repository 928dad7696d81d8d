"""A stand-in for the Pulumi plugin ``aws``: the types that the program uses, embedded endpoint only."""
