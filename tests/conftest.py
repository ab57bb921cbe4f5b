"""What all tests begin with: profiles of hypothesis, signals and variables as a terminal has them.

`pytest --hypothesis-profile=campaign` looks longer.
"""

import os
import signal

from hypothesis import HealthCheck, settings

from tests import needs

# A runner in the background starts us with these ignored, and a program would inherit that.
for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
    signal.signal(number, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.pthread_sigmask(signal.SIG_SETMASK, ())

# What the user has set for secretkit itself is not for the tests; needs has read its own.
assert needs.REQUIRED is not None
for name in [name for name in os.environ if name.startswith("SECRETKIT_")]:
    del os.environ[name]

# How fast a machine makes examples says nothing of what is tested.
SLOW = [HealthCheck.too_slow]
settings.register_profile(
    "ci", max_examples=300, deadline=None, derandomize=True, suppress_health_check=SLOW
)
settings.register_profile(
    "campaign", max_examples=20_000, deadline=None, suppress_health_check=SLOW
)
settings.load_profile("ci")
