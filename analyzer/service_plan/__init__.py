"""Decides what install.sh does on a host: packages, the release, the unit and its drop-ins.

Only the standard library is needed: the system's own Python runs it from the wheel, before there
is a virtual environment.
"""
