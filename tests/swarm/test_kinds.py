"""Services of every kind, and many of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.cli.program import Program
from tests.swarm.services import TARGET, Services, report_of, until


def test_two_targets_change_together(secretkit: Program, services: Services) -> None:
    """One secret under two targets of a service: both files have the next value."""
    web = services.create(
        "web",
        references=(
            f"source={services.secret},target={TARGET}",
            f"source={services.secret},target=legacy",
        ),
    )
    secretkit.ok("rotate", services.secret, "-", input=b"two")
    assert (services.values(web), services.values(web, "legacy")) == (["two"], ["two"])
    # The engine lists them in no certain order.
    both = [("db-password-v2", TARGET), ("db-password-v2", "legacy")]
    assert sorted(services.references(web)) == both


def test_a_global_service_rolls(secretkit: Program, services: Services) -> None:
    """A service with a task on every node is verified on every node."""
    web = services.create("web", "--mode", "global", replicas=None)
    secretkit.ok("rotate", services.secret, "-", input=b"two")
    assert services.values(web) == ["two"]


def test_a_service_without_tasks_gets_the_reference(secretkit: Program, services: Services) -> None:
    """Replicas 0: nothing runs, nothing is waited for, and scaling it up starts the next value."""
    web = services.create("web", replicas=0, wait=False)
    secretkit.ok("rotate", services.secret, "-", input=b"two")
    assert services.references(web) == [("db-password-v2", TARGET)]
    services.docker("service", "scale", "--detach", f"{web}=1")
    until("the task", lambda: services.running(web) == 1)
    assert services.values(web) == ["two"]


def test_a_paused_service_refuses_before_anything_is_touched(
    secretkit: Program, services: Services
) -> None:
    """An update that has failed and is paused is somebody's to look at: exit 4, all as before."""
    fine = services.create("a")
    broken = services.create("b", "--update-failure-action", "pause")
    services.docker("service", "update", "--detach", "--quiet", "--args", "false", broken)
    until("the pause", lambda: state(services, broken) == "paused")
    indexes = [services.inspect(one)["Version"]["Index"] for one in (fine, broken)]
    done = secretkit("rotate", services.secret, "-", input=b"two")
    assert done.code == 4, done.err
    assert broken in done.err
    assert "paused" in done.err
    assert [services.inspect(one)["Version"]["Index"] for one in (fine, broken)] == indexes
    assert services.values(fine) == ["one"]
    assert secretkit.ok("show", services.secret).out == b"one"
    assert services.journals() == []


def test_a_job_is_left_alone_unless_asked(secretkit: Program, services: Services) -> None:
    """A swap would run a job once more: it is skipped with a reason, or rotated with --jobs."""
    web = services.create("web")
    job = services.create("job", "--mode", "replicated-job", update=(), wait=False)
    done = secretkit.ok("rotate", services.secret, "-", "--json", input=b"two")
    outcomes = {each["service"]: each["outcome"] for each in report_of(done)["services"]}
    assert outcomes == {web: "completed", job: "skipped"}
    assert services.references(job) == [("db-password", TARGET)]
    secretkit.ok("rotate", services.secret, "-", "--jobs", input=b"three")
    assert services.references(job) == [("db-password-v3", TARGET)]


def test_fifty_services_use_one_secret(secretkit: Program, services: Services) -> None:
    """All fifty end on the next version; those with a task run on it."""
    with ThreadPoolExecutor(8) as pool:
        names = list(
            pool.map(
                lambda number: services.create(
                    f"s{number}", replicas=int(number % 10 == 0), wait=False
                ),
                range(50),
            )
        )
    with_tasks = names[::10]
    until("the tasks", lambda: all(services.running(name) for name in with_tasks))
    done = secretkit.ok(
        "rotate", services.secret, "-", "--max-parallel", "10", "--json", input=b"two"
    )
    assert len(report_of(done)["services"]) == 50
    assert {services.references(name)[0] for name in names} == {("db-password-v2", TARGET)}
    assert [services.values(name) for name in with_tasks] == [["two"]] * 5


def state(services: Services, service: str) -> str | None:
    """The state of its update."""
    return (services.inspect(service).get("UpdateStatus") or {}).get("State")
