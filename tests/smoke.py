"""What the wheels must be able to do together: ``python -I tests/smoke.py`` where they are installed.

Routes a request through every first-party wire: a provider that fails, then one that answers in the
other dialect. No test framework, so that the environment holds nothing but what a user has.
"""

from __future__ import annotations

from pathlib import Path

import coderouter_core
from coderouter_core.plugins import find
from coderouter_core.testing import ProviderError, Script, make_router


def main() -> None:
    home = Path(coderouter_core.__file__).parent
    if "site-packages" not in home.parts:
        raise SystemExit(f"{home} is not an installed wheel; run this where the wheels are installed")
    plugins = [(plugin.name, plugin.instance) for plugin in find()]
    script = Script(local=ProviderError("overloaded", 503), cloud="routed")
    providers = {"local": {"kind": "openai-compat"}, "cloud": {"kind": "anthropic"}}
    with make_router(*plugins, script=script, providers=providers) as router:
        for dialect in ("messages", "chat"):
            for stream in (False, True):
                asked = router.ask("hi", dialect=dialect, stream=stream)
                if (asked.status, asked.text, asked.provider) != (200, "routed", "cloud"):
                    raise SystemExit(f"{dialect}, stream={stream}: {asked}")
    print(f"{len(plugins)} plugins installed from wheels; 4 passed, 0 failed")


if __name__ == "__main__":
    main()
