"""HTTP towards clients."""

from coderouter_core.web.app import make_app

__all__ = ["make_app"]
