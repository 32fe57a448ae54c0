"""Imports the modules it is told, says so, and waits for the end of its standard input."""

import importlib
import sys

for name in sys.argv[1:]:
    importlib.import_module(name)
print("ready", flush=True)
sys.stdin.read()
