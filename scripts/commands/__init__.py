"""The command line: one module a command group, which reads options and hands over to the package that does the work.

Nothing heavy is imported before a command runs: ``ops --help`` answers at once.
"""
