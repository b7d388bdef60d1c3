"""The policies: what no function can do, even if its code were made to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chalicelib.tables.schema import tables
from deploy.policies import FUNCTIONS, KEY, QUEUE, TABLES, policy

DOCUMENTED = Path(__file__).parents[2] / "docs" / "deploy.md"
WRITES = {"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"}


def may(function: str, action: str, table: str) -> bool:
    return action in TABLES[function].get(table, ())


@pytest.mark.parametrize("function", FUNCTIONS)
def test_nothing_is_granted_with_an_asterisk_but_the_names_that_lambda_gives_log_streams(
    function: str,
) -> None:
    for statement in policy("prod", function)["Statement"]:
        assert not any("*" in action for action in statement["Action"])
        (resource,) = statement["Resource"].values()
        starred = re.search(r"\*", str(resource))
        assert not starred or str(resource).endswith(f"/aws/lambda/thermostat-prod-{function}:log-stream:*")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_place_named_is_a_table_or_an_index_that_exists(function: str) -> None:
    places = {schema.name for schema in tables()}
    places |= {f"{schema.name}/index/{index['IndexName']}" for schema in tables() for index in schema.indexes}
    assert set(TABLES[function]) <= places


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_function_scans_a_table_or_touches_its_definition(function: str) -> None:
    granted = {action for actions in TABLES[function].values() for action in actions}
    assert granted <= WRITES | {"GetItem", "BatchGetItem", "Query", "ConditionCheckItem"}


def test_the_tick_reads_and_writes_no_table_and_opens_no_secret_of_an_owner() -> None:
    assert not TABLES["tick"]
    assert not KEY["tick"]


def test_the_api_neither_creates_nor_deletes_members_nor_deletes_groups() -> None:
    """Both are done in rounds, under a lease, after the cloud was asked."""
    assert not may("api_handler", "PutItem", "members")
    assert not may("api_handler", "DeleteItem", "members")
    assert not may("api_handler", "DeleteItem", "groups")


def test_history_is_never_changed_or_deleted() -> None:
    for function in FUNCTIONS:
        for table in ("executions", "activities", "alarm-history"):
            assert not may(function, "UpdateItem", table)
            assert not may(function, "DeleteItem", table)


def test_rounds_cannot_make_what_owners_ask_for_nor_read_what_was_decided() -> None:
    asked_for = ("groups", "policies", "webhooks", "tokens", "alarms", "schedules", "launch-configurations")
    assert not [table for table in asked_for if may("work", "PutItem", table)]
    assert not may("work", "UpdateItem", "policies")
    executions = {place: TABLES["work"][place] for place in TABLES["work"] if place.startswith("executions")}
    assert executions == {"executions": ("PutItem",)}


def test_rounds_cannot_find_a_webhook_by_its_token() -> None:
    assert not may("work", "GetItem", "tokens")
    assert not may("work", "Query", "tokens")


def test_rounds_neither_make_intakes_nor_find_them_by_their_tokens() -> None:
    assert not may("work", "PutItem", "intakes")
    assert not may("work", "GetItem", "intake-tokens")


def test_only_rounds_find_what_is_due_overdue_or_watched_across_all_projects() -> None:
    """These indexes have no project in their keys."""
    across = {
        f"{schema.name}/index/{index['IndexName']}"
        for schema in tables()
        for index in schema.indexes
        if index["KeySchema"][0]["AttributeName"].endswith("_shard")
    }
    assert {place.rpartition("/")[2] for place in across} == {"due", "overdue", "watched"}
    assert [f for f in FUNCTIONS if across & set(TABLES[f])] == ["work"]


def test_nobody_deletes_samples_which_expire() -> None:
    assert not [function for function in FUNCTIONS if may(function, "DeleteItem", "folds")]


def test_what_is_watched_is_listed_by_the_judging_only() -> None:
    for place in ("alarms/index/watched", "policies/index/watched"):
        assert [function for function in FUNCTIONS if may(function, "Query", place)] == ["work"]


def test_nobody_lists_tokens() -> None:
    for table in ("tokens", "intake-tokens"):
        assert not [function for function in FUNCTIONS if may(function, "Query", table)]


def test_rounds_open_secrets_and_never_seal_any() -> None:
    assert KEY["work"] == ("Decrypt",)


def test_only_rounds_take_messages_and_nobody_purges_the_queue() -> None:
    assert [function for function in FUNCTIONS if "ReceiveMessage" in QUEUE[function]] == ["work"]
    assert not [function for function in FUNCTIONS if "PurgeQueue" in QUEUE[function]]


def test_policies_name_one_stage_only() -> None:
    for function in FUNCTIONS:
        assert "thermostat-prod-" not in str(policy("test", function))


def test_the_documentation_has_the_same_table() -> None:
    """Row by row, in the order of the alphabet; each place once."""
    api, work = TABLES["api_handler"], TABLES["work"]
    rows = [
        f"| `{place}` | {', '.join(api.get(place, ()))} | {', '.join(work.get(place, ()))} |"
        for place in sorted({*api, *work})
    ]
    found = re.findall(
        r"^\| `[a-z-]+(?:/index/[a-z_]+)?` \|.*\|$", _section("What each function may do"), re.MULTILINE
    )
    assert found == rows


def _section(title: str) -> str:
    """Return what the documentation says under a title."""
    return DOCUMENTED.read_text(encoding="utf-8").partition(f"\n## {title}\n")[2].partition("\n## ")[0]
