"""How hypothesis runs here.

The same examples come in each run, so that a change is judged by what it changes. New ones are
searched for with ``HYPOTHESIS_PROFILE=search make test-properties``.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# A busy machine must not fail a test: what has to be quick is tested for that elsewhere. Nor must
# chance, which decides how many of the examples a test leaves out.
_CALM = [HealthCheck.too_slow, HealthCheck.filter_too_much]

settings.register_profile(
    "imds-analyzer", deadline=None, derandomize=True, suppress_health_check=_CALM
)
settings.register_profile("search", deadline=None, max_examples=1000, suppress_health_check=_CALM)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "imds-analyzer"))
