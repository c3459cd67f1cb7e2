"""Workers as an operator runs them: processes on a real broker and a store behind HTTP."""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from pnl.auditor.findings import Found
from pnl.auditor.notices import raise_alarms
from pnl.errors import Exit
from pnl.opening import open_kafka
from pnl.settings_load import load
from pnl.simulator.simulation import generate, write
from streams.topics import CONTACTS, INPUT_NAMES, ORDERS, SOURCE_NAMES
from tests.support.chdb_http import ChdbServer
from tests.support.kafka_broker import Cluster, free_ports
from tests.support.waiting import until
from tests.unit.pnl.program import answer, apart_from_periods, pnl, start

STOP_SECONDS_MAX = 10
READY_SECONDS = 60
JOURNEYS, SINK, PERIODS, AUDITOR, PAGE = free_ports(5)


@dataclass(frozen=True)
class Centre:
    """A folder with settings, and facts to import."""

    folder: Path
    facts: Path

    def import_all(self, folder: Path) -> None:
        """Import every fact by the settings of a folder; wait for the last ones."""
        *first, last = SOURCE_NAMES
        for topic in first:
            counts = answer("import", topic, self.facts / f"{topic}.jsonl", "--no-wait", cwd=folder)
            assert counts["read"] > 0
        counts = answer("import", last, self.facts / f"{last}.jsonl", cwd=folder)
        assert counts["applied"] == counts["read"] > 0


def configure(folder: Path, cluster: Cluster, dsn: str) -> None:
    """Write the settings of a log and a store that nobody else has."""
    (folder / "pnl.toml").write_text(
        f"""
[log]
kind = "kafka"
prefix = "w{uuid4().hex[:8]}."
replication = 1
partitions = 2
transaction_timeout_ms = 6000
[log.client]
bootstrap.servers = "{cluster.bootstrap}"
session.timeout.ms = 6000
heartbeat.interval.ms = 500
[store]
dsn = "{dsn}"
""",
        "utf-8",
    )


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the events of a small simulated centre; return their folder."""
    folder = tmp_path_factory.mktemp("facts")
    write(folder, generate(customers=60, events=1000, seed=11))
    return folder


@pytest.fixture(scope="module")
def bare(
    cluster: Cluster, facts: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Centre]:
    """Return a centre with topics and schema, in which nothing runs and nothing was imported."""
    folder = tmp_path_factory.mktemp("bare")
    with ChdbServer(tmp_path_factory.mktemp("store")) as store:
        configure(folder, cluster, store.dsn)
        assert pnl("topics", "apply", cwd=folder).returncode == 0
        assert pnl("migrate", "up", cwd=folder).returncode == 0
        yield Centre(folder, facts)


def get(port: int, path: str) -> tuple[int, str]:
    """Ask a worker; (0, "") when it does not answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    except OSError:
        return 0, ""
    finally:
        connection.close()


def until_ready(process: subprocess.Popen[str], port: int) -> None:
    """Wait until a worker is ready."""

    def ready() -> bool:
        assert process.poll() is None, process.communicate()
        return get(port, "/readyz")[0] == 200

    until(ready, READY_SECONDS, f"the worker at {port} is ready: {get(port, '/readyz')[1]}")


@contextmanager
def worker(centre: Centre, *arguments: str, port: int) -> Iterator[subprocess.Popen[str]]:
    """Run a worker meanwhile; the test may end it, else it is told to stop and must end with 0."""
    process = start("worker", *arguments, "--port", str(port), cwd=centre.folder)
    try:
        until_ready(process, port)
        yield process
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            said = process.communicate(timeout=STOP_SECONDS_MAX)
            assert process.returncode == 0, said
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def centre(bare: Centre) -> Iterator[Centre]:
    """Return a centre at work, two journeys and one of each other kind; every fact is imported."""
    with (
        worker(bare, "journeys", "--processes", "2", port=JOURNEYS),
        worker(bare, "sink", port=SINK),
        worker(bare, "periods", port=PERIODS),
        worker(bare, "auditor", port=AUDITOR),
    ):
        bare.import_all(bare.folder)
        yield bare


def samples(port: int, name: str) -> list[float]:
    """Return every value of a metric."""
    lines = get(port, "/metrics")[1].splitlines()
    return [float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)]


@pytest.fixture(scope="module")
def alone(centre: Centre, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which one process has applied the same facts."""
    folder = tmp_path_factory.mktemp("alone")
    centre.import_all(folder)
    return folder


def test_workers_give_the_statement_that_one_process_gives(centre: Centre, alone: Path) -> None:
    """Facts through Kafka, two journeys and a sink are the books of an embedded run, all laws."""
    asked = ("report", "statement", "--by", "queue")
    on_kafka, of_one = (answer(*asked, cwd=folder) for folder in (centre.folder, alone))
    assert apart_from_periods(on_kafka) == apart_from_periods(of_one)
    assert answer("verify", cwd=centre.folder)["ok"]


def test_the_period_job_states_on_kafka_what_it_states_alone(centre: Centre, alone: Path) -> None:
    """Idle time and what payroll leaves of a month that is over, booked through the log."""
    with (centre.facts / "contacts.jsonl").open() as contacts:
        month = min(json.loads(line)["ended_at"] for line in contacts)[:7]
    asked = ("report", "statement", "--month", month)
    of_one = amounts(answer(*asked, cwd=alone))
    assert of_one["C2"] < 0
    assert of_one["C7"] != 0
    until(
        lambda: amounts(answer(*asked, cwd=centre.folder)) == of_one,
        READY_SECONDS,
        f"the worker's {month} is that of one process",
    )


def amounts(statement: dict[str, Any]) -> dict[str, int]:
    """Return a statement's lines in minor units."""
    return {line["line"]: line["amount_minor"] for line in statement["lines"]}


def test_importing_again_is_all_duplicates(centre: Centre) -> None:
    """Each row's end is found in the batch records, also on Kafka."""
    again = answer("import", ORDERS, centre.facts / "orders.jsonl", cwd=centre.folder)
    assert again["duplicate"] == again["read"] > 0


def test_imports_at_the_same_time_count_their_own_rows(centre: Centre) -> None:
    """Their records lie between each other in the same partitions."""
    file = centre.facts / "contacts.jsonl"
    rows = file.read_bytes().count(b"\n")
    arguments = ("import", CONTACTS, file, "--format", "json")
    both = [start(*arguments, cwd=centre.folder) for _ in range(2)]
    for process in both:
        out, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
        assert json.loads(out) == {
            "read": rows, "applied": 0, "duplicate": rows, "late": 0, "dead_lettered": 0,
        }  # fmt: skip


def test_each_worker_tells_its_figures(centre: Centre) -> None:
    """Records by disposition, batches, members of the group; rows and freshness; the recount."""
    rows = (centre.facts / "orders.jsonl").read_bytes().count(b"\n")
    applied = 'pnl_records_total{disposition="applied"'
    until(lambda: sum(samples(JOURNEYS, applied)) >= rows, 30, "journeys count")
    assert sum(samples(JOURNEYS, 'pnl_batches_total{outcome="committed"')) > 0
    assert min(samples(JOURNEYS, "pnl_assignments_total")) > 0
    until(lambda: sum(samples(JOURNEYS, "pnl_consumer_lag_records")) == 0, 30, "no lag")
    assert len(samples(JOURNEYS, "pnl_consumer_lag_records")) == 2 * len(INPUT_NAMES)
    assert sum(samples(SINK, "pnl_sink_records_total")) > rows
    until(lambda: samples(SINK, "pnl_store_freshness_seconds") == [0, 0], 30, "fresh")
    assert samples(SINK, "pnl_sink_stalled") == [0]
    audited = 'pnl_audit{figure="batches_total"}'
    until(lambda: sum(samples(AUDITOR, audited)) > 0, 30, "the auditor recounts")


def test_the_doctor_looks_at_the_cluster(centre: Centre) -> None:
    """Topics, clients, groups, clocks, store and progress; nothing fails."""
    found = answer("doctor", cwd=centre.folder)
    assert {each["check"] for each in found} >= {
        "topics", "clients", "groups", "clock", "log", "store", "progress",
    }  # fmt: skip
    assert [each for each in found if each["state"] == "fail"] == []
    groups = [each["text"] for each in found if each["check"] == "groups"]
    assert any("journeys: 2 members" in text for text in groups)


def test_the_page_needs_no_data_folder(centre: Centre) -> None:
    """It reads the store, says that it is ready, and stops with 0."""
    with worker(centre, "console", port=PAGE):
        assert get(PAGE, "/healthz")[0] == 200
        assert '"totals"' in get(PAGE, "/api/statement")[1]
    assert not (centre.folder / "pnl-data").exists()


def test_a_killed_process_is_started_again_in_its_slot(centre: Centre) -> None:
    """The other one goes on, and both are ready again."""
    pids = children(centre)
    assert len(pids) == 2
    subprocess.run(["kill", "-KILL", str(pids[0])], check=True)
    until(lambda: samples(JOURNEYS, 'pnl_worker_restarts_total{code="-9"}') == [1], 60, "a restart")
    until(lambda: get(JOURNEYS, "/readyz")[0] == 200, 60, "both are ready")
    again = answer("import", ORDERS, centre.facts / "orders.jsonl", cwd=centre.folder)
    assert again["duplicate"] == again["read"]


def children(centre: Centre) -> list[int]:
    """Return the processes under the supervisor of this centre's journeys."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"--descriptor" in words and (entry / "cwd").readlink() == centre.folder:
                found.append(int(entry.name))
        except (OSError, ValueError):
            continue
    return sorted(found)


def test_a_halted_sink_says_so_and_goes_on_when_it_is_resumed(centre: Centre) -> None:
    """An alarm about money reaches it; a person's reason lets it go on."""
    log = open_kafka(load(centre.folder, centre.folder, {}).settings)
    raise_alarms(log, [Found("R1", "a test", "it is not so")], 1, halting=True)
    log.close()
    until(lambda: "halted by the auditor" in get(SINK, "/readyz")[1], 30, "halted")
    told = pnl("resume", "--reason", "it was a test", cwd=centre.folder)
    assert told.returncode == 0
    assert "R1: a test" in told.stdout
    until(lambda: get(SINK, "/readyz")[0] == 200, 30, "resumed")


def test_the_store_is_filled_anew_while_workers_go_on(centre: Centre) -> None:
    """The tables come from the log alone, and the statement stays as it was."""
    before = answer("report", "statement", cwd=centre.folder)
    rebuilt = pnl("rebuild", cwd=centre.folder)
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert rebuilt.stdout.endswith("0 totals are others now.\n")
    assert answer("report", "statement", cwd=centre.folder) == before
    assert answer("verify", cwd=centre.folder)["ok"]


def test_a_second_worker_in_a_slot_fences_the_first(
    cluster: Cluster, facts: Path, tmp_path: Path
) -> None:
    """The first writes nothing more and ends with 3; the second goes on."""
    apart = Centre(tmp_path, facts)
    configure(tmp_path, cluster, "http://nowhere:1")
    assert pnl("topics", "apply", cwd=tmp_path).returncode == 0
    with worker(apart, "journeys", "--slot", "same", port=PAGE) as first:
        other = free_ports(1)[0]
        with worker(apart, "journeys", "--slot", "same", port=other):
            pnl("import", ORDERS, facts / "orders.jsonl", "--no-wait", cwd=tmp_path)
            assert first.wait(60) == Exit.FENCED
            assert get(other, "/healthz")[0] == 200


def test_workers_end_with_their_supervisor(cluster: Cluster, facts: Path, tmp_path: Path) -> None:
    """One that was killed leaves no process behind in its slots."""
    apart = Centre(tmp_path, facts)
    configure(tmp_path, cluster, "http://nowhere:1")
    assert pnl("topics", "apply", cwd=tmp_path).returncode == 0
    with worker(apart, "journeys", "--processes", "2", port=PAGE) as supervisor:
        assert len(children(apart)) == 2
        supervisor.kill()
        supervisor.wait(10)
        until(lambda: children(apart) == [], 60, "its processes are gone")


REFUSED: dict[str, Callable[[str], str]] = {
    "run `pnl topics apply`": lambda toml: toml.replace('prefix = "', 'prefix = "nothing-here.'),
    "its partition count is 2": lambda toml: toml.replace("partitions = 2", "partitions = 4"),
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_topics_that_are_wrong_are_refused_with_2(
    sentence: str, bare: Centre, tmp_path: Path
) -> None:
    """A worker that would lose money does not start, and is not started again."""
    toml = (bare.folder / "pnl.toml").read_text("utf-8")
    (tmp_path / "pnl.toml").write_text(REFUSED[sentence](toml), "utf-8")
    for processes in ("1", "2"):
        ended = pnl("worker", "journeys", "--processes", processes, "--port", "0", cwd=tmp_path)
        assert ended.returncode == Exit.MISTAKE
        assert sentence in ended.stderr
    check = pnl("topics", "check", "--format", "json", cwd=tmp_path)
    assert check.returncode == Exit.FAILED
    assert any(sentence in wrong["sentence"] for wrong in json.loads(check.stdout)["wrong"])


def test_a_worker_waits_for_a_cluster_and_stops_when_told(tmp_path: Path, bare: Centre) -> None:
    """While no broker answers it lives, is not ready, shows no secret, and ends with 0."""
    toml = (bare.folder / "pnl.toml").read_text("utf-8").splitlines()
    toml = [line for line in toml if not line.startswith("bootstrap")]
    at = toml.index("[log.client]") + 1
    toml[at:at] = [f'bootstrap.servers = "127.0.0.1:{PAGE}"', 'ssl.key.password = "hunter2"']
    (tmp_path / "pnl.toml").write_text("\n".join(toml), "utf-8")
    port = free_ports(1)[0]
    process = start("worker", "sink", "--port", str(port), cwd=tmp_path)
    until(lambda: get(port, "/readyz")[0] == 503, READY_SECONDS, "it answers")
    assert get(port, "/healthz")[0] == 200
    process.send_signal(signal.SIGTERM)
    out, said = process.communicate(timeout=30)
    assert process.returncode in (0, Exit.INTERRUPTED)
    assert "hunter2" not in out + said
    doctor = pnl("doctor", cwd=tmp_path)
    assert doctor.returncode == 1
    assert "fail  cluster" in doctor.stdout
    assert "hunter2" not in doctor.stdout + doctor.stderr


def test_one_process_does_it_all_with_an_embedded_store(
    cluster: Cluster, facts: Path, tmp_path: Path
) -> None:
    """For a first try on Kafka: `pnl run`, an import beside it, a report from it, and stop."""
    configure(tmp_path, cluster, f"chdb://{tmp_path / 'store'}")
    assert pnl("topics", "apply", cwd=tmp_path).returncode == 0
    refused = pnl("worker", "sink", "--port", "0", cwd=tmp_path)
    assert refused.returncode == Exit.MISTAKE
    assert "`pnl run`" in refused.stderr
    process = start("run", "--port", str(PAGE), cwd=tmp_path)
    try:
        until_ready(process, PAGE)
        served: Any = answer("import", ORDERS, facts / "orders.jsonl", cwd=tmp_path)
        assert served["applied"] == served["read"]
        assert answer("report", "statement", cwd=tmp_path)["reconciliation"]["net_minor"] != 0
        assert answer("verify", cwd=tmp_path)["ok"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS_MAX) == 0
        looked = pnl("repair", "--reason", "a look", cwd=tmp_path)
        assert (looked.returncode, looked.stdout) == (0, "Nothing is torn.\n")
    finally:
        process.kill()
        process.communicate()
