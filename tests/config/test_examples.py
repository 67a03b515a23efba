"""The examples load with the plugins that are installed."""

from importlib.metadata import entry_points
from pathlib import Path

import pytest

from coderouter_core.config import load
from coderouter_core.model import Config, Option

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(ROOT.glob("examples/*.yaml"))


def installed_options() -> list[tuple[str, Option]]:
    found: list[tuple[str, Option]] = []
    for entry in entry_points(group="coderouter.plugins"):
        declare = getattr(entry.load()(), "declare_options", lambda: None)
        found += [(entry.name, option) for option in declare() or ()]
    return found


def example(name: str) -> Config:
    return load(ROOT / "examples" / name, installed_options(), {})


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_loads(path: Path) -> None:
    assert load(path, installed_options(), {}).source == str(path)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_pays_for_nothing_unasked(path: Path) -> None:
    assert load(path, installed_options(), {}).settings.allow_paid is False


def test_the_first_example_has_its_paid_provider_after_all_that_are_free_elsewhere() -> None:
    config = example("providers.yaml")
    paid = {provider.name for provider in config.providers if provider.paid}

    assert [name in paid for name in config.profiles[0].providers] == [False, False, True, False]


def test_every_rule_of_the_second_example_has_a_condition() -> None:
    router = example("auto.yaml").auto_router

    assert [rule.profile for rule in router.rules] == ["eyes", "small", "small"] if router else False


def test_there_are_examples() -> None:
    assert [path.name for path in EXAMPLES] == ["auto.yaml", "providers.yaml"]
