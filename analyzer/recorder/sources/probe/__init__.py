"""Captures calls with eBPF programs in the kernel."""
