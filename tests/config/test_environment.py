"""What the environment says beats the file."""

import pytest
from attrs import frozen

from coderouter_core.config import parse
from coderouter_core.errors import ConfigError
from coderouter_core.model import AuthKey, Config, Option, Scope


@frozen
class Wire: ...


OPTIONS = [("openai-compat", Option(Scope.PROVIDER, Wire, kind="openai-compat"))]
TEXT = """\
default_profile: {default}
allow_paid: {paid}
providers: [{{name: local}}]
profiles:
  - {{name: small, providers: [local]}}
  - {{name: large, providers: [local]}}
mode_aliases: {{code: large}}
ledger: {{url: "memory:"}}
auth: {auth}
"""


def config(default: str = "small", paid: str = "false", auth: str = "", **environ: str) -> Config:
    return parse(TEXT.format(default=default, paid=paid, auth=auth), "f", OPTIONS, environ)


def said(auth: str = "", **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        config(auth=auth, **environ)
    return str(caught.value)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        pytest.param("large", ("large", "env"), id="profile"),
        pytest.param(" code ", ("large", "env"), id="alias"),
        pytest.param("  ", ("small", "config"), id="blank"),
    ],
)
def test_the_mode_chooses_the_default_profile(mode: str, expected: tuple[str, str]) -> None:
    found = config(CODEROUTER_MODE=mode)

    assert (found.default_profile, found.mode_source) == expected


def test_the_mode_rescues_a_default_that_does_not_exist() -> None:
    assert config(default="nobody", CODEROUTER_MODE="large").default_profile == "large"


def test_an_unknown_mode_is_told() -> None:
    assert said(CODEROUTER_MODE="lage") == (
        "CODEROUTER_MODE: no profile or mode alias is named 'lage'; did you mean 'large'?"
    )


@pytest.mark.parametrize(
    ("paid", "told", "expected"),
    [
        pytest.param("false", "1", True, id="on"),
        pytest.param("true", "Off", False, id="off"),
        pytest.param("true", "perhaps", True, id="neither"),
        pytest.param("true", "", True, id="empty"),
    ],
)
def test_allow_paid_beats_the_file_both_ways(paid: str, told: str, *, expected: bool) -> None:
    assert config(paid=paid, ALLOW_PAID=told).settings.allow_paid is expected


def test_the_ledger_of_the_environment_wins() -> None:
    assert config(CODEROUTER_LEDGER=" sqlite:/tmp/x.db ").ledger_url == "sqlite:/tmp/x.db"


def test_the_ledger_of_the_file_holds_otherwise() -> None:
    assert config().ledger_url == "memory:"


def test_an_unknown_ledger_is_told_without_its_password() -> None:
    assert (
        said(CODEROUTER_LEDGER="redis://:hush@host")
        == "CODEROUTER_LEDGER: must begin with memory: or sqlite:"
    )


HASH = "ab" * 32


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        pytest.param("TEAM", AuthKey("TEAM", env="TEAM"), id="variable"),
        pytest.param(f"sha256:{HASH.upper()}", AuthKey("key-abababab", sha256=HASH), id="hash"),
        pytest.param("{name: ada, env: TEAM}", AuthKey("ada", env="TEAM"), id="named-variable"),
        pytest.param(f"{{name: ada, sha256: {HASH}}}", AuthKey("ada", sha256=HASH), id="named-hash"),
    ],
)
def test_a_client_key(entry: str, key: AuthKey) -> None:
    assert config(auth=f"{{keys: [{entry}]}}", TEAM="x").auth_keys == (key,)


@pytest.mark.parametrize(
    ("auth", "problem"),
    [
        pytest.param(
            "{keys: [TEAM]}",
            "f:9:15: auth.keys[0]: the environment variable 'TEAM' is not set; set it, or remove this entry",
            id="unset-variable",
        ),
        pytest.param(
            f"{{keys: ['sha256:{HASH}', 'sha256:{HASH}']}}",
            "f:9:90: auth.keys[1]: a key named 'key-abababab' stands here twice; give one another name",
            id="twice",
        ),
        pytest.param(
            "{keys: [{name: ada}]}", "f:9:15: auth.keys[0]: must have either env or sha256", id="neither"
        ),
        pytest.param(
            f"{{keys: [{{env: A, sha256: {HASH}}}]}}",
            "f:9:15: auth.keys[0]: must have either env or sha256",
            id="both",
        ),
        pytest.param(
            "{keys: [BLANK]}",
            "f:9:15: auth.keys[0]: the environment variable 'BLANK' is not set; set it, or remove this entry",
            id="blank-variable",
        ),
        pytest.param(
            "{keys: [5]}",
            "f:9:15: auth.keys[0]: must be the NAME of an environment variable, or sha256:<64 hex digits>, or a "
            "mapping with a name and either of them as env or sha256 (what stands here is not shown, it may be a "
            "key)",
            id="number",
        ),
        pytest.param("{keys: []}", "f:9:14: auth.keys: must not be empty", id="no-keys"),
        pytest.param("{}", "f:9:7: auth.keys: missing; it has no default", id="nothing"),
        pytest.param("{kees: [A]}", "f:9:8: auth.kees: unknown key; did you mean 'keys'?", id="unknown-key"),
        pytest.param(
            "{keys: [{nam: ada, env: A}]}",
            "f:9:16: auth.keys[0].nam: unknown key; did you mean 'name'?",
            id="entry",
        ),
    ],
)
def test_a_client_key_that_cannot_be_used(auth: str, problem: str) -> None:
    assert problem in said(auth, BLANK="  ").split("\n")


def test_without_auth_there_are_no_client_keys() -> None:
    assert config().auth_keys == ()
