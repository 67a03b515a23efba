"""Settings for every test of the repository."""

from hypothesis import settings

# No test states how long something takes: a busy machine is no reason to fail.
settings.register_profile("house", deadline=None)
settings.load_profile("house")
