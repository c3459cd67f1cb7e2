"""Opens what each role needs: the one place that knows which worker needs a store."""

from collections.abc import Callable
from contextlib import ExitStack

from pnl.datafolder import DataFolder
from pnl.delivering.opening import delivering_roles
from pnl.delivering.together import Together
from pnl.errors import UserError
from pnl.fitting.newer import NewerModel
from pnl.metrics import Metrics
from pnl.opening import kafka_settings, live_risk, open_kafka, server_dsn
from pnl.periods.job import PeriodJob
from pnl.periods.role import PeriodsRole
from pnl.settings import Settings
from pnl.settings_alerts import load_alerts
from pnl.shared import assert_migrated
from pnl.version import code_version
from pnl.workers.process import Role
from pnl.workers.roles import AuditorRole, JourneysRole, SinkRole
from pnl.workers.signals import Figured, SignalsRole, signals
from sinks.store import Store
from streams.clock import Clock
from streams.kafka_log import KafkaLog


class Maker:
    """Makes the roles of a process by the settings, in a slot."""

    def __init__(
        self,
        folder: DataFolder,
        settings: Settings,
        clock: Clock,
        slot: str,
        route: str | None = None,
    ) -> None:
        self._route = route
        self._folder = folder
        self._settings = settings
        self._clock = clock
        self._slot = slot

    def journeys(self, opened: ExitStack, metrics: Metrics) -> Role:
        """Open the log and join the group of journeys; no store is needed."""
        return self._made(opened, lambda log, _: self._journeys(log, metrics))

    def sink(self, opened: ExitStack, metrics: Metrics) -> Role:
        """Open log and store and join the group of the sink."""
        return self._made(opened, lambda log, stack: self._sink(log, stack, metrics))

    def auditor(self, opened: ExitStack, metrics: Metrics) -> Role:
        """Open the log, and the store, and join the group of the auditor."""
        return self._made(opened, lambda log, stack: self._auditor(log, stack, metrics))

    def periods(self, opened: ExitStack, metrics: Metrics) -> Role:
        """Open log and store for the period job; it joins no group."""
        del metrics
        return self._made(opened, self._periods)

    def alerts(self, opened: ExitStack, metrics: Metrics) -> Role:
        """Open the log and join the group of each route, or of the one asked for."""
        return self._made(opened, lambda log, _: self._alerts(log, metrics))

    def signals(self, opened: ExitStack, metrics: Metrics) -> Role:
        """Open the log and join the group of signals, on the host that the settings name."""
        return self._made(opened, lambda log, _: self._signals(log, metrics))

    def _signals(self, log: KafkaLog, metrics: Metrics) -> Role:
        timezone = self._settings.reporting.timezone
        handler = signals(load_alerts(self._folder.path, timezone).rules(), timezone)
        if self._settings.signals.host == "runner":
            return SignalsRole(log, handler, metrics, self._clock, code_version=code_version())
        # Faust takes a third of a second to load, which no other worker needs.
        from pnl.workers.signals_faust import FaustSignalsRole, faust_settings
        from streams.faust_host import FaustHost

        kafka = kafka_settings(self._settings, slot=self._slot, epoch=log.epoch)
        told = faust_settings(kafka, log.partitions, code_version())
        host = FaustHost(told, Figured(handler, metrics), log.read, metrics.registry)
        return FaustSignalsRole(log, host, metrics, self._clock)

    def _alerts(self, log: KafkaLog, metrics: Metrics) -> Role:
        settings = self._settings
        found = load_alerts(self._folder.path, settings.reporting.timezone)
        routes = found.routes if self._route is None else (found.route(self._route),)
        if not routes:
            raise UserError("alerts.toml has no [routes.NAME]: there is nobody to send alerts to.")
        return Together(delivering_roles(log, routes, settings, metrics, self._clock), metrics)

    def _periods(self, log: KafkaLog, stack: ExitStack) -> Role:
        settings, store = self._settings, self._store(stack)
        lateness = settings.reporting.lateness
        job = PeriodJob(log, store, settings.policies, self._clock, lateness)
        return PeriodsRole(log, job)

    def _auditor(self, log: KafkaLog, stack: ExitStack, metrics: Metrics) -> Role:
        store = self._store(stack)
        return AuditorRole(log, store, self._settings.policies, metrics, self._clock)

    def _journeys(self, log: KafkaLog, metrics: Metrics) -> Role:
        return JourneysRole(
            log,
            self._settings.policies,
            metrics,
            self._clock,
            code_version=code_version(),
            records_max=self._settings.limits.batch_records_max,
            hot_facts=self._settings.limits.hot_facts,
            newer=NewerModel(self._folder.churn),  # made before the file is read
            risk=live_risk(self._folder),
        )

    def _sink(self, log: KafkaLog, stack: ExitStack, metrics: Metrics) -> Role:
        store = self._store(stack)
        return SinkRole(log, store, metrics, self._clock, code_version=code_version())

    def _store(self, stack: ExitStack) -> Store:
        store = Store.open(server_dsn(self._folder, self._settings))
        stack.callback(store.close)
        assert_migrated(store)
        return store

    def _made(self, opened: ExitStack, make: Callable[[KafkaLog, ExitStack], Role]) -> Role:
        """Keep what was opened only if all of it could be: making is tried again."""
        with ExitStack() as attempt:
            log = open_kafka(self._settings, slot=self._slot)
            attempt.callback(log.close)
            role = make(log, attempt)
            opened.push(attempt.pop_all())
            return role
