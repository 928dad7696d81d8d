"""The command line: a module a command or group, which reads options and hands over to the package that does the work.

``scripts.cli`` loads the module of the command that is used, and no other.
"""
