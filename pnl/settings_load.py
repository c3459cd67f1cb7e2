"""Where settings come from, and one clear sentence when one cannot be used.

Law: a variable `PNL_…` beats `.env`, which beats `pnl.toml`, which beats the default. The file
is the data folder's `pnl.toml`; where there is none, the current folder's. Nothing is ignored:
an unknown section, key or `PNL_…` name is an error that names the place it stands in. A variable
`PNL_…_FILE` names a file that holds the value: how a secret arrives without being seen.
"""

import difflib
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
)

from pnl.errors import UserError
from pnl.settings import Settings
from pnl.settings_lines import line_of_change
from pnl.settings_policy import UNDATED, Change, Channel, FixedCharge, PerMinute, PerTerm

PREFIX: Final = "PNL_"
IN_FILE: Final = "_FILE"
NOT_SETTINGS: Final = frozenset({"PNL_DATA", "PNL_FAILPOINTS"})
"""Names with our prefix that are no settings: the data folder, and where tests make us fail."""


_OPAQUE: Final = "client__"
"""What a variable's name begins with, after its section, whose value is a property's as it is."""
_CHANGES: Final = "changes"
_CHARGES: Final[Mapping[str, type[BaseModel]]] = {"per_minute": PerMinute, "per_term": PerTerm}
_TAGS: Final = (("per_minute",), ("per_event",), ("flat",), ("per_term",))
_SECRETS: Final = (("log", "client"), ("store", "dsn"))
"""Settings of which no error repeats the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The settings, and the files that they were read from (none: defaults and variables)."""

    settings: Settings
    files: tuple[Path, ...]
    variables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    """One source: what it said, and how to name one of its keys to a person."""

    values: Mapping[str, Any]
    file: Path | None
    is_toml: bool

    def name(self, path: tuple[str, ...]) -> str:
        if self.is_toml and path[:1] == (_CHANGES,) and len(path) > 1:
            line = line_of_change(self.file, int(path[1]), path[2:])
            return " ".join([f"{self.file}, line {line}: [[changes]]", ".".join(path[2:])]).strip()
        if self.is_toml:
            head = ".".join(path[:-1])
            return f"{self.file}: [{head}] {path[-1]}" if head else f"{self.file}: [{path[-1]}]"
        variable = PREFIX + "__".join(path).upper()
        return f"{self.file}: {variable}" if self.file else variable

    def holds(self, path: tuple[str, ...]) -> bool:
        node: Any = self.values
        for part in path:
            if isinstance(node, list) and part.isdigit() and int(part) < len(node):
                node = node[int(part)]
                continue
            if not isinstance(node, Mapping) or part not in node:
                return False
            node = node[part]
        return True


def settings_file(data: Path, current: Path) -> Path | None:
    """Return the `pnl.toml` that counts: the data folder's, else the current one's, else none."""
    for folder in (data, current):
        if (file := folder / "pnl.toml").is_file():
            return file
    return None


def load(
    data: Path, current: Path | None = None, environ: Mapping[str, str] | None = None
) -> Loaded:
    """Read the settings for a data folder; UserError names the file, section and key at fault."""
    current = Path() if current is None else current
    given = os.environ if environ is None else environ
    toml_file, env_file = settings_file(data, current), current / ".env"
    in_env_file = _read_env_file(env_file) if env_file.is_file() else {}
    given, in_env_file = _with_contents(given, None), _with_contents(in_env_file, env_file)
    variables = _ours(given, None) + _ours(in_env_file, env_file)
    toml = _read_toml(toml_file) if toml_file else {}
    places: list[_Place] = []

    class FromSources(Settings):
        """The settings with the sources of this call."""

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            del init_settings, env_settings, dotenv_settings, file_secret_settings
            from_variables = _from_variables(settings_cls, given)
            from_env_file = _from_variables(settings_cls, in_env_file)
            places.append(_Place(from_variables(), None, is_toml=False))
            places.append(_Place(from_env_file(), env_file, is_toml=False))
            places.append(_Place(toml, toml_file, is_toml=True))
            return from_variables, from_env_file, InitSettingsSource(settings_cls, dict(toml))

    try:
        settings = FromSources()
    except ValidationError as error:
        raise UserError(_sentence(error.errors()[0], places)) from None
    files = tuple(file for file in (toml_file, env_file) if file is not None and file.is_file())
    return Loaded(settings=settings, files=files, variables=variables)


def _from_variables(cls: type[BaseSettings], environ: Mapping[str, str]) -> EnvSettingsSource:
    """Return the source for these variables, in place of those of the process."""
    source = EnvSettingsSource(cls)
    source.env_vars = {name.lower(): value for name, value in environ.items()}
    return source


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except UnicodeDecodeError:
        raise UserError(f"{file} is not UTF-8 text.") from None
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}.") from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{file} is not TOML: {error}.") from None


def _read_env_file(file: Path) -> dict[str, str]:
    from dotenv import dotenv_values

    try:
        return {name: value or "" for name, value in dotenv_values(file).items()}
    except UnicodeDecodeError:
        raise UserError(f"{file} is not UTF-8 text.") from None
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}.") from None


def _ours(environ: Mapping[str, str], file: Path | None) -> tuple[str, ...]:
    """Return the names of ours; an unknown one is an error, as a typing mistake is silent else."""
    ours = []
    for name, value in environ.items():
        if not name.upper().startswith(PREFIX) or name.upper() in NOT_SETTINGS:
            continue
        place = f"{file}: {name}" if file else name
        section, _, key = name[len(PREFIX) :].lower().partition("__")
        if section not in Settings.model_fields:
            raise UserError(
                f"{place} is no setting{_suggestion(section, Settings.model_fields, PREFIX)}."
            )
        if not key.startswith(_OPAQUE) and (value[:1] in ("{", "[") or not key):
            try:
                json.loads(value)
            except ValueError:
                raise UserError(f'{place} is not JSON; write {{"name": value}}.') from None
        ours.append(name)
    return tuple(sorted(ours))


def _with_contents(environ: Mapping[str, str], file: Path | None) -> dict[str, str]:
    """Return the variables, in place of each `PNL_…_FILE` the one whose value its file holds."""
    values = dict(environ)
    for name, holder in environ.items():
        if not (name.startswith(PREFIX) and name.endswith(IN_FILE)) or name in NOT_SETTINGS:
            continue
        place = f"{file}: {name}" if file else name
        plain = name.removesuffix(IN_FILE)
        if plain in environ:
            raise UserError(f"{place} and {plain} are both set; keep one of them.")
        del values[name]
        try:
            values[plain] = Path(holder).read_text("utf-8").strip()
        except UnicodeDecodeError:
            raise UserError(f"{place} names {holder}, which is not UTF-8 text.") from None
        except OSError as error:
            raise UserError(
                f"{place} names {holder}, which cannot be read: {error.strerror}."
            ) from None
    return values


def _suggestion(wrong: str, names: Mapping[str, object], prefix: str = "") -> str:
    near = difflib.get_close_matches(wrong, list(names), n=1)
    if near:
        return f"; did you mean {prefix}{near[0].upper() if prefix else near[0]}"
    return f"; there are {', '.join(names)}" if not prefix else ""


def _sentence(error: ErrorDetails, places: list[_Place]) -> str:
    path = tuple(str(part) for part in error["loc"] if part != "[key]")
    at = 2 if path[:1] == (_CHANGES,) else 0
    if path[at : at + 1] == ("tariffs",) and path[at + 2 : at + 3] in _TAGS:
        path = path[: at + 2] + path[at + 3 :]
    if not path:
        of = next((place for place in places if place.holds((_CHANGES,))), places[-1])
        return f"{of.file or of.name((_CHANGES,))}: {_said(error)}."
    place = next((place for place in places if place.holds(path)), None)
    if place is None:  # a missing key: the place is where its section stands
        place = next((place for place in places if place.holds(path[:-1])), places[-1])
    return f"{place.name(path)} {_why(error, path)}."


def _said(error: ErrorDetails) -> str:
    return str(error.get("ctx", {}).get("error", error["msg"]))


def _why(error: ErrorDetails, path: tuple[str, ...]) -> str:
    kind, context, given = error["type"], error.get("ctx", {}), error["input"]
    if path[:1] == (_CHANGES,) and kind == "extra_forbidden" and _is_undated(path[2:]):
        return "is the same at all dates: it cannot be in a change"
    if path[:2] in _SECRETS and kind == "string_type":
        return "must be a string"
    if kind == "extra_forbidden":
        names = _names_at(path[:-1], str(error["loc"][2]) if len(error["loc"]) > 2 else "")
        return "is no setting" + _suggestion(path[-1], dict.fromkeys(names))
    if kind == "missing":
        return "is missing"
    if kind == "literal_error":
        wrong = path[-1] if error["loc"][-1] == "[key]" else given
        return f"is {wrong!r}, but must be {context['expected']}"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return "needs a kind: 'per_minute', 'per_event', 'flat' or 'per_term'"
    if kind == "value_error":
        text = str(context["error"])
        return text if text.startswith("is ") else f"cannot be used: {text}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return "must be a section of keys, not a value"
    if kind == "string_pattern_mismatch":
        return f"is {given!r}, but may hold letters, digits, '.', '_' and '-' alone"
    must = error["msg"].removeprefix("Input should ").split(", unable")[0]
    return f"is {given!r}, but must {must}"


def _is_undated(path: tuple[str, ...]) -> bool:
    """Say whether a setting of ours is one that a change cannot name."""
    if path[0] == _CHANGES or len(path) == 1:
        return path[0] in Settings.model_fields
    return path[0] in UNDATED and path[1] in UNDATED[path[0]]


def _names_at(path: tuple[str, ...], kind: str) -> list[str]:
    """Return the names allowed at a path of the file; `kind` is that of a tariff."""
    if path[:1] == (_CHANGES,):
        if len(path) <= 2:
            return [field.alias or name for name, field in Change.model_fields.items()]
        path = path[2:]
    models: dict[str, type[BaseModel]] = {
        "tariffs": _CHARGES.get(kind, FixedCharge),
        "channels": Channel,
    }
    if not path:
        return list(Settings.model_fields)
    model = models.get(path[0], Settings.model_fields[path[0]].annotation)
    return list(getattr(model, "model_fields", {}))
