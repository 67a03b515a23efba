"""What Prometheus' own tool says of the metrics, the alerts and the dashboard. Found as `promtool`, or by PROMTOOL."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from coderouter_observer_metrics import Metrics

from coderouter_core.testing import CutAfter, ProviderError, Reply, Script, ServedRouter, make_router

PROMTOOL = os.environ.get("PROMTOOL") or shutil.which("promtool")
EXAMPLES = Path(__file__).parents[1] / "examples"
PRICES = {"cost": {"input_tokens_per_million": 3.0, "output_tokens_per_million": 15.0}}

pytestmark = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool is not here: Debian has it in `prometheus`"
)


def promtool(*words: str | Path, told: str = "") -> tuple[int, str]:
    """Its exit code, and all that it said."""
    run = subprocess.run(
        [str(PROMTOOL), *map(str, words)], input=told, capture_output=True, text=True, timeout=60, check=False
    )
    return run.returncode, run.stdout + run.stderr


def mixed_traffic(router: ServedRouter) -> None:
    router.ask("well")
    router.ask("falls over", dialect="chat")
    router.ask("streamed", dialect="chat", stream=True)
    router.ask("breaks", stream=True)
    router.ask("whose?", headers={"x-coderouter-profile": "nobody"})
    router.client.post("/v1/messages", content=b"{no json")


def test_the_metrics_of_a_router_that_has_served_are_clean() -> None:
    script = Script(
        one=["x", ProviderError("no"), "x", CutAfter(6)], two=Script.messages(Reply("y", thinking="hm"))
    )
    with make_router(Metrics(), script, providers={"one": PRICES, "two": PRICES}) as router:
        mixed_traffic(router)

        assert promtool("check", "metrics", told=router.client.get("/metrics").text) == (0, "")


def test_the_alerts_are_well_formed() -> None:
    code, said = promtool("check", "config", EXAMPLES / "prometheus/prometheus.yml")

    assert (code, "FAILED" in said) == (0, False), said


def test_the_alerts_fire_when_they_should() -> None:
    code, said = promtool("test", "rules", EXAMPLES / "prometheus/alerts_test.yml")

    assert code == 0, said


def test_every_query_of_the_dashboard_is_well_formed(tmp_path: Path) -> None:
    dashboard = json.loads((EXAMPLES / "grafana/coderouter.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    rules = [
        {"record": f"panel:{number}", "expr": query.replace("$__rate_interval", "5m")}
        for number, query in enumerate(queries)
    ]
    file = tmp_path / "queries.yml"
    # JSON is YAML.
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))

    code, said = promtool("check", "rules", file)

    assert (code, len(rules) > 30) == (0, True), said
