"""Pulumi component resources, one concern a file.

Each file has a pure builder, which turns checked arguments into typed resource arguments, and a component that
registers them. Builders are tested as they are; components only register.
"""
