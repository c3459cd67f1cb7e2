"""A real Kafka, one node or three: started in a folder, killed, paused, started again.

Each broker is a process of its own whose ports and data stay the same over restarts. It has two
listeners for clients: `bootstrap` leads straight to it, `proxied_bootstrap` to the address where
tests may put tests/support/kafka_proxy.py in between (nobody listens there without it).
A broker dies with the process that started it. Java and the jars of `make kafka-jars` are needed.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.support.waiting import until

ROOT: Final = Path(__file__).parents[2]
JARS: Final = ROOT / ".kafka" / "libs"
COMMON: Final = ROOT / "deploy" / "kafka" / "server.properties"
HOST: Final = "127.0.0.1"
IDENTITY: Final = "Y29udGFjdC1wbmwta2Fma2E"
"""What the brokers of a cluster know each other by, across restarts."""

PORTS: Final = range(20_000, 30_000)
"""Below the ports that the system hands out, so that a stopped broker's stay free."""
LANES: Final = 4
"""So many processes of one test run draw ports without meeting."""
_GIVEN: Final[set[int]] = set()
"""A port is given once: its taker may be about to listen on it, or to come back to it."""

START_SECONDS: Final = 60
STOP_SECONDS: Final = 30
HEAP_MB: Final = {1: 512, 3: 384}
JVM_QUICK: Final = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""Starts in two seconds, is slower under load."""
LOGGING: Final = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
)

QUICK: Final = {
    "group.min.session.timeout.ms": "1000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
    "log.cleaner.backoff.ms": "200",
    "log.initial.task.delay.ms": "500",
    "log.retention.check.interval.ms": "1000",
    "log.segment.delete.delay.ms": "1000",
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "3000",
}
"""What tests wait for takes a second, not a minute."""

COMPACTED_SOON: Final = {
    "cleanup.policy": "compact",
    "segment.ms": "100",
    "min.cleanable.dirty.ratio": "0.01",
    "max.compaction.lag.ms": "200",
}
"""Topic settings with which older records of a key go within about a second: a segment is closed
by the next record after 100 ms, and only closed ones are compacted."""

TRANSACTIONS: Final = "__transaction_state"

_STARTER: Final = ThreadPoolExecutor(1, "starts-brokers")
"""A broker dies with the *thread* that started it (see `_dying_with_us`): this one lives on."""


def missing() -> str | None:
    """Return what is missing here to run a broker, in one sentence; None: nothing."""
    if shutil.which("java") is None:
        return "Kafka needs Java 17: apt-get install default-jre-headless maven"
    if not JARS.is_dir():
        return "Kafka's jars are not here: make kafka-jars"
    return None


def is_free(port: int) -> bool:
    """Return whether nobody listens on a port."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((HOST, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Return ports nobody listens on, none of them given before in this process.

    Processes of one test run draw from ranges of their own.
    """
    lane = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    mine = PORTS[lane % LANES :: LANES]
    found: list[int] = []
    while len(found) < count:
        port = random.choice(mine)
        if port not in _GIVEN and is_free(port):
            _GIVEN.add(port)
            found.append(port)
    return found


def _dying_with_us(command: list[str]) -> list[str]:
    """Return a command whose process is killed when the thread that starts it ends."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", *command] if setpriv else command


def _java(flags: Iterable[str], *arguments: str) -> list[str]:
    """Return the command that runs one of Kafka's programs."""
    return ["java", *flags, *LOGGING, "-cp", f"{JARS}/*", *arguments]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where a broker listens, and where clients of its second listener are sent to."""

    client: int
    controller: int
    behind: int
    proxy: int


def _free_ports_of(nodes: int) -> list[Ports]:
    """Return ports for so many brokers."""
    found = iter(free_ports(4 * nodes))
    return [
        Ports(client=client, controller=controller, behind=behind, proxy=proxy)
        for client, controller, behind, proxy in zip(found, found, found, found, strict=True)
    ]


class Broker:
    """One process of Kafka, broker and controller at once."""

    def __init__(self, node: int, ports: Ports, folder: Path, flags: Sequence[str]) -> None:
        self.node, self.ports, self.folder = node, ports, folder
        self.log = folder / "log"
        """What it says."""
        self._flags = flags
        self._properties = folder / "server.properties"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """Its address."""
        return f"{HOST}:{self.ports.client}"

    @property
    def proxied_bootstrap(self) -> str:
        """Where clients find it that a proxy stands before."""
        return f"{HOST}:{self.ports.proxy}"

    @property
    def running(self) -> bool:
        """True from its start to its end, also while it is paused."""
        return self._process is not None and self._process.poll() is None

    def configure(self, settings: Mapping[str, str]) -> None:
        """Write its settings, and format its data folder unless it has been."""
        data = self.folder / "data"
        self.folder.mkdir(parents=True, exist_ok=True)
        ports = self.ports
        clients = f"PLAINTEXT://{HOST}:{ports.client},PROXIED://{HOST}"
        own = {
            "node.id": str(self.node),
            "log.dirs": str(data),
            "listeners": f"{clients}:{ports.behind},CONTROLLER://{HOST}:{ports.controller}",
            "advertised.listeners": f"{clients}:{ports.proxy}",
        }
        lines = [f"{key}={value}" for key, value in (own | dict(settings)).items()]
        self._properties.write_text(COMMON.read_text() + "\n".join(lines) + "\n")
        if not (data / "meta.properties").exists():
            tool = ("kafka.tools.StorageTool", "format", "-t", IDENTITY)
            command = _java(JVM_QUICK, *tool, "-c", str(self._properties))
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr

    def launch(self) -> None:
        """Start the process and do not wait for it: `start` does."""
        assert not self.running, f"broker {self.node} runs already"
        command = _java(self._flags, "kafka.Kafka", str(self._properties))
        with self.log.open("ab") as log:
            self._process = _STARTER.submit(
                subprocess.Popen,
                _dying_with_us(command),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ).result()

    def await_ready(self, brokers: int = 1) -> None:
        """Return once it answers and knows of so many brokers."""
        with socket.socket() as probe:
            until(
                lambda: self._still_running() and probe.connect_ex((HOST, self.ports.client)) == 0,
                START_SECONDS,
                f"broker {self.node} listens; see {self.log}",
            )
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        until(
            lambda: self._still_running() and self._knows(admin) >= brokers,
            START_SECONDS,
            f"broker {self.node} knows of {brokers}; see {self.log}",
        )

    def _still_running(self) -> bool:
        assert self.running, f"broker {self.node} ended: {self.log.read_text()[-2000:]}"
        return True

    def _knows(self, admin: AdminClient) -> int:
        try:
            metadata = admin.list_topics(timeout=1)
        except KafkaException:
            return 0
        return len(metadata.brokers) if self.node in metadata.brokers else 0

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.launch()
        self.await_ready()

    def stop(self) -> None:
        """End it as an operator does, and wait for its end; nothing if it has ended."""
        self.resume()
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash does; nothing if it has ended."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop it, start it again and wait until it answers."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Let it stand still: its connections stay open and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on where it was paused."""
        self._signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        self._signal(how)
        if self._process is None:
            return
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def _signal(self, which: signal.Signals) -> None:
        if self._process is not None and self.running:
            os.kill(self._process.pid, which)


class Cluster:
    """Brokers that know of each other: one, or three with three copies of everything.

    `settings` are broker settings over the usual ones. `quick`: what tests wait for is shortened,
    and the JVM starts fast; without it the broker is as users run it, for figures of speed.
    Use it as a context, or `start` and `stop`; what is done to all brokers is done here, what is
    done to one on `brokers[0..]`.
    """

    def __init__(
        self,
        folder: Path,
        nodes: int = 1,
        settings: Mapping[str, str] | None = None,
        *,
        ports: Sequence[Ports] = (),
        quick: bool = True,
        heap_mb: int | None = None,
    ) -> None:
        flags = (f"-Xmx{heap_mb or HEAP_MB[nodes]}m", *(JVM_QUICK if quick else ()))
        self.brokers = tuple(
            Broker(node, at, folder / f"broker-{node}", flags)
            for node, at in enumerate(ports or _free_ports_of(nodes), 1)
        )
        usual = self._copies(nodes) | (QUICK if quick else {})
        self._settings = usual | dict(settings or {})

    def _copies(self, nodes: int) -> dict[str, str]:
        """Return where the controllers are, and how many copies there are of what is written."""
        voters = (f"{broker.node}@{HOST}:{broker.ports.controller}" for broker in self.brokers)
        copies, needed = str(nodes), str(min(nodes, 2))
        return {
            "controller.quorum.voters": ",".join(voters),
            "default.replication.factor": copies,
            "min.insync.replicas": needed,
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": needed,
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": needed,
        }

    @property
    def bootstrap(self) -> str:
        """The addresses of all brokers."""
        return ",".join(broker.bootstrap for broker in self.brokers)

    @property
    def proxied_bootstrap(self) -> str:
        """Where clients find the brokers that a proxy stands before."""
        return ",".join(broker.proxied_bootstrap for broker in self.brokers)

    def __enter__(self) -> Self:
        """Start it."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """End it: nothing of it is needed any more."""
        self.kill()

    def start(self) -> Self:
        """Start every broker, and wait until each knows of all."""
        if (reason := missing()) is not None:
            raise RuntimeError(reason)
        for broker in self.brokers:
            broker.configure(self._settings)
        for broker in self.brokers:
            broker.launch()
        for broker in self.brokers:
            broker.await_ready(len(self.brokers))
        return self

    def stop(self) -> None:
        """End all brokers as an operator does, at the same time."""
        with ThreadPoolExecutor(len(self.brokers)) as pool:
            list(pool.map(Broker.stop, self.brokers))

    def kill(self) -> None:
        """End all brokers as a crash does."""
        for broker in self.brokers:
            broker.kill()

    def restart(self) -> None:
        """Stop all brokers and start them again."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Let all brokers stand still."""
        for broker in self.brokers:
            broker.pause()

    def resume(self) -> None:
        """Let all brokers go on."""
        for broker in self.brokers:
            broker.resume()

    def admin(self) -> AdminClient:
        """Return a client that creates and describes things."""
        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def create(
        self, topic: str, partitions: int = 4, settings: Mapping[str, str] | None = None
    ) -> None:
        """Create a topic with as many copies as there are brokers; return once it has leaders."""
        self.create_all({topic: settings or {}}, partitions)

    def create_all(self, topics: Mapping[str, Mapping[str, str]], partitions: int) -> None:
        """Create topics with their settings; return once every broker knows who leads them."""
        new = [NewTopic(name, partitions, config=dict(each)) for name, each in topics.items()]
        admin = self.admin()  # its futures end with it
        for created in admin.create_topics(new).values():
            created.result(START_SECONDS)
        for broker in self.brokers:
            if broker.running:
                known = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
                until(
                    lambda: _knows_leaders(known, topics, partitions),  # noqa: B023
                    START_SECONDS,
                    f"broker {broker.node} knows who leads {', '.join(topics)}",
                )

    def clear(self) -> None:
        """Delete every topic but Kafka's own: thousands of them make a broker slow."""
        admin = self.admin()
        topics = [name for name in admin.list_topics(timeout=10).topics if name[:2] != "__"]
        for deleted in admin.delete_topics(topics).values() if topics else ():
            deleted.result(START_SECONDS)

    def leader(self, topic: str, partition: int) -> Broker | None:
        """Return the broker that leads a partition now; None: there is no such one just now."""
        return self._leader(self.admin(), topic, partition)

    def transactions_of(self, transactional_id: str) -> Broker | None:
        """Return the broker that coordinates the transactions of an id now."""
        java_hash = 0
        for unit in transactional_id:
            java_hash = (31 * java_hash + ord(unit)) & 0xFFFFFFFF
        partitions = len(
            self.admin().list_topics(TRANSACTIONS, timeout=10).topics[TRANSACTIONS].partitions
        )
        return self.leader(TRANSACTIONS, (java_hash & 0x7FFFFFFF) % partitions)

    def _leader(self, admin: AdminClient, topic: str, partition: int) -> Broker | None:
        found = admin.list_topics(topic, timeout=10).topics[topic].partitions.get(partition)
        if found is None or found.leader < 1:
            return None
        return self.brokers[found.leader - 1]


def _knows_leaders(admin: AdminClient, topics: Iterable[str], partitions: int) -> bool:
    """Return whether a broker knows a leader of every partition of the topics."""
    known = admin.list_topics(timeout=10).topics
    return all(
        name in known
        and len(known[name].partitions) == partitions
        and all(each.leader >= 0 for each in known[name].partitions.values())
        for name in topics
    )
