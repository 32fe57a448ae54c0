"""How hypothesis runs here."""

from __future__ import annotations

from hypothesis import settings

# A busy machine must not fail a test: what has to be quick is tested for that elsewhere.
settings.register_profile("imds-analyzer", deadline=None)
settings.load_profile("imds-analyzer")
