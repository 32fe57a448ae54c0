"""Finds the files of a report, recognises them by their content, and names what is not read."""

from analyzer.report.inputs.file import File, InputError, Inputs
from analyzer.report.inputs.opening import open_inputs

__all__ = ["File", "InputError", "Inputs", "open_inputs"]
