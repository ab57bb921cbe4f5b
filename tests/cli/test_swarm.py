"""Commands over a swarm: what they print, and how they end."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.cli.inside import Inside, inside
from tests.cli.program import Program

__all__ = ["inside"]


def squeezed(text: str) -> str:
    """Without the padding of tables."""
    return re.sub(" {2,}", "  ", text)


def documents(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def test_push(inside: Inside) -> None:
    """The object of the current version, with its labels; again is fine; the value is not said."""
    inside.program.create("db", b"c4n4ry")
    assert inside.ok("push", "db").text == "db\n"
    found = inside.ok("push", "db", "--json").json
    assert (found["kind"], found["object"]) == ("secret", "db")
    assert found["labels"]["secretkit.version"] == "1"
    assert "c4n4ry" not in json.dumps(found)
    assert [one.name for one in inside.swarm.objects("secret")] == ["db"]


def test_push_over_a_foreign_object(inside: Inside) -> None:
    """Something else of that name is a conflict."""
    inside.program.create("db")
    inside.swarm.create("secret", "db", b"theirs", {})
    assert inside("push", "db").code == 4


def test_adopt(inside: Inside) -> None:
    """With its value or without; unknown, it is exit 3 to show it, and it can be given later."""
    inside.swarm.create("secret", "db", b"theirs", {})
    done = inside.ok("adopt", "db")
    assert done.text == "db v1\n"
    assert done.lines == [
        "secretkit: the value is unknown: secretkit adopt db --value FILE gives it, and"
        " secretkit rotate db makes the next version"
    ]
    assert inside.program("show", "db").code == 3
    assert inside.program.ok("inspect", "db", "--json").json["versions"][0]["size"] is None
    given = inside.ok("adopt", "db", "--value", "-", "--json", input=b"theirs\n").json
    assert given == {"name": "db", "current": 1, "versions": [1], "known": True}
    assert inside.program.ok("show", "db").out == b"theirs"


def test_adopt_does_not_repeat_what_may_be_a_value(inside: Inside) -> None:
    """A FILE that is not there is not in the message."""
    inside.swarm.create("secret", "db", b"theirs", {})
    done = inside("adopt", "db", "--value", "c4n4ry")
    assert done.code == 2
    assert done.lines == [
        "secretkit: error: no such file, and what follows the name is a file's",
        'hint: a value is never an argument: name a file, or printf %s "$VALUE" | secretkit adopt'
        " db --value -",
    ]


def test_services(inside: Inside) -> None:
    """A row for each use, with drift; the JSON has the same."""
    inside.deployed("db", "api", "web")
    inside.program.ok("rotate", "db", "-", input=b"second")
    assert squeezed(inside.ok("services").text) == (
        "SERVICE  SECRET  VERSION  TARGET  TASKS  STATE\n"
        "api  db  v1  db  2/2  drift: v2 is current\n"
        "web  db  v1  db  2/2  drift: v2 is current\n"
    )
    assert inside("services", "bd").code == 3
    one = inside.ok("services", "db", "--json").json[0]
    for changing in ("by", "created"):
        assert one.pop(changing)
    assert one == {
        "service": "api",
        "name": "db",
        "object": "db",
        "version": 1,
        "target": "db",
        "ready": 2,
        "wanted": 2,
        "state": None,
        "drift": ["v2 is current"],
    }


def test_services_watched(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document a change, until Ctrl-C, which ends it with exit 0 and without a word."""
    inside.deployed("db", "api")
    rounds = []

    def meddle() -> None:
        rounds.append(1)
        if len(rounds) == 2:
            inside.swarm.deploy("web", "db")
        elif len(rounds) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(
        "tests.engines.memory.MemoryChanges.wait", lambda _self, _seconds: meddle() is None
    )
    done = inside("services", "--watch", "--json")
    assert (done.code, done.err) == (0, "")
    seen = [[one["service"] for one in document] for document in documents(done.text)]
    assert seen == [["api"], ["api", "web"]]


@pytest.mark.parametrize("command", [["push", "db"], ["adopt", "db"], ["services"], ["config"]])
def test_without_an_engine(cli: Program, command: list[str]) -> None:
    """What needs an engine says so on the local one: production is never guessed."""
    if command == ["config"]:
        command = ["config", "ls"]
    cli.create("db")
    done = cli(*command)
    assert done.code == 2
    assert done.lines == [
        f"secretkit: error: {command[0]} needs an engine, and this project's is local",
        'hint: --engine swarm, or in secretkit.toml: engine = "swarm"',
    ]


def test_rollout_options_on_the_local_engine(cli: Program) -> None:
    """Options about services mean nothing there, and are refused by name before anything."""
    cli.create("db")
    done = cli("rotate", "db", "--delay", "0s", "--strict", "--generate", "pin")
    assert (done.code, done.lines[0]) == (
        2,
        "secretkit: error: --delay, --strict: only where services run, and the engine is local",
    )
    assert cli("rollback", "db", "--max-parallel", "2").code == 2
    assert cli.ok("ls", "--json").json[0]["current"] == 1


@pytest.mark.parametrize("text", ["", "10", "-1s", "1s1", "c4n4ry", "1 s", "1d", "s", "9999999h"])
def test_durations_that_are_none(cli: Program, text: str) -> None:
    """Durations are docker's; what is wrong is not repeated."""
    cli.create("db")
    done = cli("rotate", "db", f"--soak={text}")
    assert done.code == 2
    assert done.lines[0] == (
        "secretkit: error: invalid value for '--soak': not a duration such as 500ms, 10s or 1m30s"
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0.0), ("500ms", 0.5), ("1m30s", 90.0), ("1.5h", 5400.0), ("2us", 2e-6)],
)
def test_durations(text: str, seconds: float) -> None:
    """As Go's ParseDuration reads them."""
    from secretkit.cli.rollout import Duration

    assert Duration().convert(text, None, None) == pytest.approx(seconds)


def test_rotate(inside: Inside) -> None:
    """The services arrive, the version is on stdout, lines and the table are on stderr."""
    inside.deployed("db", "api", "web")
    done = inside.ok("rotate", "db", "-", "--max-parallel", "2", input=b"second")
    assert done.text == "db v2\n"
    assert inside.current() == 2
    table = squeezed("\n".join(done.lines))
    assert "SERVICE  BEFORE  AFTER  TASKS  TIME  OUTCOME" in table
    assert re.search(r"^api  db  db-v2  2  \S+  completed$", table, re.MULTILINE)
    assert "secretkit: db-v2 is in the swarm (" in done.err
    assert "hook" not in done.err, "there is none"
    assert "second" not in done.err.replace(" seconds", "")
    assert [one["version"] for one in inside.ok("services", "--json").json] == [2, 2]


def test_rotate_quietly(inside: Inside) -> None:
    """--quiet leaves the version alone."""
    inside.deployed("db", "api")
    done = inside.ok("rotate", "db", "-", "--quiet", input=b"next")
    assert (done.text, done.err) == ("db v2\n", "")


def test_rotate_as_json(inside: Inside) -> None:
    """A document a line: events, then the report, and nothing else."""
    inside.deployed("db", "api")
    found = documents(inside.ok("rotate", "db", "-", "--json", input=b"next").text)
    assert [one["type"] for one in found[:-1]] == ["event"] * (len(found) - 1)
    assert set(found[0]) == {
        *("type", "seconds", "step", "service", "message", "previous", "ready", "wanted"),
    }
    report = found[-1]
    for changing in ("rotation", "seconds"):
        assert report.pop(changing)
    assert report["services"][0].pop("seconds") >= 0
    assert report == {
        "type": "report",
        "kind": "secret",
        "name": "db",
        "before": 1,
        "after": 2,
        "current": 2,
        "outcome": "completed",
        "services": [
            {
                "service": "api",
                "before": "db",
                "after": "db-v2",
                "tasks": 2,
                "outcome": "completed",
                "reason": "",
            }
        ],
        "warnings": [],
    }


def test_rotate_dry_run(inside: Inside) -> None:
    """The plan is printed, and nothing is done; the JSON has the same steps."""
    inside.deployed("db", "api")
    inside.program.write("secretkit.toml", '[secrets.db.hooks]\nbefore = ["./accept", "a b"]\n')
    steps = [
        "create secret db-v2 from the value given",
        "run ./accept 'a b'",
        "update api: db -> db-v2 at db, 2 tasks",
        "make db v2 current",
    ]
    assert inside.ok("rotate", "db", "-", "--dry-run").text.splitlines() == steps
    plan = inside.ok("rotate", "db", "-", "--dry-run", "--json").json
    assert plan["steps"] == steps
    service = plan.pop("services")[0]
    assert service.pop("id")
    assert service == {
        "service": "api",
        "before": ["db"],
        "after": "db-v2",
        "targets": ["db"],
        "tasks": 2,
    }
    assert {**plan, "steps": []} == {
        "kind": "secret",
        "name": "db",
        "before": 1,
        "after": 2,
        "creates": "db-v2",
        "resumes": None,
        "skipped": [],
        "findings": [],
        "steps": [],
    }
    assert inside.current() == 1
    assert len(inside.swarm.objects("secret")) == 1


def test_rotate_fails(inside: Inside) -> None:
    """Exit 6, one explanation and the table; the report is the last document of --json."""
    inside.deployed("db", "api")
    inside.swarm.behave(b"bad", crashes=0.1)
    done = inside("rotate", "db", "-", input=b"bad")
    assert (done.code, done.out) == (6, b"")
    assert sum(line.startswith("secretkit: error: ") for line in done.lines) == 1
    assert "rolled back" in done.err or "failed" in done.err
    assert inside.current() == 1
    done = inside("rotate", "db", "-", "--json", input=b"bad")
    assert done.code == 6
    assert documents(done.text)[-1]["outcome"] == "rolled back"
    assert "Traceback" not in done.err


def test_rollback(inside: Inside) -> None:
    """The services go back, and the version before is current."""
    inside.deployed("db", "api")
    inside.ok("rotate", "db", "-", input=b"next")
    assert inside.ok("rollback", "db", "--dry-run").text.splitlines() == [
        "update api: db-v2 -> db at db, 2 tasks",
        "make db v1 current",
    ]
    assert inside.ok("rollback", "db").text == "db v1\n"
    assert inside.current() == 1


def test_interrupted_and_resumed(inside: Inside) -> None:
    """Ctrl-C says how to go on; the same command does, and says what it goes on with."""
    inside.deployed("db", "api")

    def interrupt() -> None:
        raise KeyboardInterrupt

    inside.swarm.meddle("update", interrupt)
    done = inside("rotate", "db", "-", input=b"next")
    assert done.code == 1
    assert done.lines[-2:] == [
        "secretkit: error: interrupted, the rotation of db is under way",
        "hint: `secretkit rotate db` goes on with it, `secretkit rotate db --abort` goes back to"
        " the version before",
    ]
    refused = inside("rollback", "db")
    assert (refused.code, len(refused.lines)) == (4, 2), "it does not go on with a rotation"
    doctor = inside("doctor").text
    assert "a rotation of db to v2 is under way, begun by" in doctor
    done = inside.ok("rotate", "db")
    assert done.lines[0].startswith("secretkit: resuming the rotation of db to v2 begun by ")
    assert (done.text, inside.current()) == ("db v2\n", 2)


def test_a_generator_that_is_not_used_is_told(inside: Inside) -> None:
    """What goes on has its value: another generator is warned about, the same one is not."""
    inside.deployed("db", "api")

    def interrupt() -> None:
        raise KeyboardInterrupt

    for number, first, again, told in (
        (2, ("-",), ("--generate", "hex"), "--generate hex is not used: db v2 has its value"),
        (3, ("--generate", "hex"), ("--generate", "hex"), ""),
    ):
        inside.swarm.meddle("update", interrupt)
        assert inside("rotate", "db", *first, input=b"next").code == 1
        done = inside.ok("rotate", "db", *again)
        assert (done.text, inside.current()) == (f"db v{number}\n", number)
        assert ("is not used" in done.err) == bool(told)
        assert told in done.err


def test_aborted(inside: Inside) -> None:
    """--abort goes back; it takes nothing else, and there must be something to abort."""
    inside.deployed("db", "api")

    def interrupt() -> None:
        raise KeyboardInterrupt

    assert inside("rotate", "db", "--abort", "--generate", "pin").code == 2
    assert inside("rotate", "db", "--abort").code == 3
    inside.swarm.meddle("tasks", interrupt)
    assert inside("rotate", "db", "-", input=b"next").code == 1
    assert inside.ok("rotate", "db", "--abort").text == "db v1\n"
    assert inside.current() == 1
    assert [one["version"] for one in inside.ok("services", "--json").json] == [1]


def test_a_pair_is_refused(inside: Inside) -> None:
    """Two secrets cannot arrive at one moment: exit 5, and nothing is made."""
    inside.program.ok("create", "web", "--generate", "tls")
    done = inside("rotate", "web")
    assert done.code == 5
    assert inside.current("web-key") == 1


def test_prune(inside: Inside) -> None:
    """What nobody needs goes from both sides; what is needed stays, and stderr says why."""
    inside.deployed("db", "api")
    for value in (b"2", b"3", b"4"):
        inside.ok("rotate", "db", "-", input=value)
    assert inside.ok("prune", "db", "--dry-run").text == "destroy db v1, v2\n"
    done = inside.ok("prune", "db")
    assert done.text == "db v1\ndb v2\n"
    assert "secretkit: kept db v4: it is the current one" in done.lines
    assert [one.name for one in inside.swarm.objects("secret")] == ["db-v3", "db-v4"]


def test_rm(inside: Inside) -> None:
    """In use it is refused, else it goes from both sides."""
    inside.deployed("db", "api")
    assert inside("rm", "db").code == 4
    inside.swarm.remove_service("api")
    assert inside.ok("rm", "db", "--dry-run").text == "destroy db with v1\n"
    assert inside.ok("rm", "db").text == "db\n"
    assert inside.swarm.objects("secret") == []


def test_inspect(inside: Inside) -> None:
    """USED BY has the services."""
    inside.deployed("db", "api")
    assert inside.ok("inspect", "db", "--json").json["versions"][0]["used_by"] == ["api"]


def test_doctor(inside: Inside) -> None:
    """The manager answers; drift is a warning with its remedy."""
    inside.deployed("db", "api")
    assert "ok        no drift, 1 service with secrets of this store\n" in inside("doctor").text
    inside.program.ok("rotate", "db", "-", input=b"second")
    found = [one for one in inside("doctor", "--json").json if "drifted" in one["what"]]
    assert found == [
        {
            "state": "warning",
            "what": "api has drifted, db at db: v2 is current",
            "hint": "secretkit rotate db brings all its services to one version",
        }
    ]


def test_config(inside: Inside) -> None:
    """Created, rotated, shown, listed, rolled back and pruned by the same rules."""
    inside.program.write("app.yaml", "port: 1\n")
    assert inside.ok("config", "create", "app", "app.yaml").text == "app v1\n"
    assert inside("config", "create", "app", "app.yaml").code == 4
    inside.swarm.deploy("api", "app")
    inside.swarm.settle()
    assert inside.ok("config", "rotate", "app", "-", input=b"port: 2\n").text == "app v2\n"
    assert inside.ok("config", "show", "app").out == b"port: 2\n"
    assert inside.ok("config", "show", "app", "--version", "1").out == b"port: 1\n"
    assert inside.ok("config", "ls", "--json").json == [
        {"name": "app", "current": 2, "versions": [1, 2]}
    ]
    found = inside.ok("config", "inspect", "app", "--json").json
    assert [(one["version"], one["used_by"]) for one in found["versions"]] == [
        (1, []),
        (2, ["api"]),
    ]
    assert inside.ok("config", "rollback", "app").text == "app v1\n"
    assert inside.ok("config", "prune", "app").out == b""
    assert inside("config", "rotate", "app").code == 2
    assert inside("config", "show", "nothing").code == 3
    large = b"x" * 1_100_000
    assert inside("config", "rotate", "app", "-", input=large).code == 2


def test_completion_of_services(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """--service is completed from the engine; nothing is said where it fails."""
    inside.deployed("db", "api", "web")
    monkeypatch.setenv("SECRETKIT_ENGINE", "swarm")
    monkeypatch.setenv("_SECRETKIT_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "secretkit rotate db --service a")
    monkeypatch.setenv("COMP_CWORD", "4")
    assert inside().text == "plain,api\n"
    inside.swarm.no_leader(1000)
    done = inside()
    assert (done.text.strip(), done.err) == ("", "")
