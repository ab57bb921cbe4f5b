"""Profiles of hypothesis: `ci` by default; `pytest --hypothesis-profile=campaign` looks longer."""

from hypothesis import HealthCheck, settings

settings.register_profile("ci", max_examples=300, deadline=None, derandomize=True)
settings.register_profile(
    "campaign",
    max_examples=20_000,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci")
