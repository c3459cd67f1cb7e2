"""`pnl topics` and `pnl migrate`: what must be there before workers start."""

import json
from dataclasses import asdict
from pathlib import Path

import typer

from pnl import logs
from pnl.datafolder import DataFolder
from pnl.errors import UserError
from pnl.opening import is_on_kafka, kafka_topics, store_dsn
from pnl.settings import Settings
from pnl.settings_load import load
from sinks.store import Store
from streams.kafka_topics import Checked


def run_apply(data: Path, *, correct: bool, new_epoch: bool) -> None:
    """Create what is missing; exit 1 if something that can lose records is left."""
    topics = kafka_topics(on_kafka(data))
    _end(topics.apply(correct=correct, new_epoch=new_epoch, say=typer.echo), as_json=False)


def run_check(data: Path, *, as_json: bool) -> None:
    """Look at the topics; exit 1 if something can lose records."""
    _end(kafka_topics(on_kafka(data)).check(), as_json=as_json)


def run_migrate(data: Path) -> None:
    """Bring the store's schema up to date."""
    with_store = Store.open(store_dsn(DataFolder(data), load(data).settings))
    try:
        applied = with_store.migrate()
    finally:
        with_store.close()
    typer.echo(f"Migrations {applied} applied." if applied else "The schema is up to date.")


def run_migrate_status(data: Path) -> None:
    """Say what the store lacks; exit 1 if that is anything."""
    store = Store.open(store_dsn(DataFolder(data), load(data).settings))
    try:
        pending = store.pending_migrations()
    finally:
        store.close()
    typer.echo(f"The store lacks {pending}." if pending else "The schema is up to date.")
    if pending:
        raise typer.Exit(1)


def on_kafka(data: Path) -> Settings:
    """Return the settings; UserError unless their log is on Kafka."""
    logs.configure()
    settings = load(data).settings
    if not is_on_kafka(settings):
        raise UserError(
            'The log is a file of the data folder; this command is for [log] kind = "kafka".'
        )
    return settings


def _end(checked: Checked, *, as_json: bool) -> None:
    if as_json:
        card = checked.card
        shown = {
            "epoch": None if card is None else card.epoch,
            "cluster": checked.cluster.identity,
            "wrong": [asdict(wrong) | {"sentence": wrong.sentence} for wrong in checked.wrongs],
        }
        typer.echo(json.dumps(shown, indent=2))
    else:
        for wrong in checked.wrongs:
            typer.echo(f"{'FAIL' if wrong.grave else 'warn'}  {wrong.sentence}.")
        if not checked.grave:
            assert checked.card is not None, "topics without a card have a grave wrong"
            typer.echo(f"The topics can be used; epoch {checked.card.epoch}.")
    if checked.grave:
        raise typer.Exit(1)
