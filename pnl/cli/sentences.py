"""What the command line says besides a command's result: always on standard error."""

import typer


def warn(sentence: str) -> None:
    """Say one sentence that is no result and no error."""
    typer.echo(f"pnl: {sentence}", err=True)
