"""The settings, read once from ADVISOR_* environment variables. One table in the README names them all."""

import difflib
import ipaddress
import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advisor.errors import AdvisorError

MIB = 2**20
GIB = 2**30
SHORTEST_SECRET = 16
LARGEST_PORT = 65_535
DEFAULT_PORTS = {"https": "443", "http": "80"}
_LABEL = "[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_ORIGIN = re.compile(rf"(https?)://({_LABEL}(?:\.{_LABEL})*)(?::([1-9][0-9]{{0,4}}))?")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Settings:
    """How this process runs. Relative paths are those of the directory it runs in."""

    data_dir: Path | None = None
    max_body: int = MIB
    max_batch_body: int = 8 * MIB
    trusted_hosts: tuple[str, ...] = ()
    proxy_hops: int = 0
    log_level: str = "INFO"
    database_url: str = "sqlite:///var/advisor.db"
    secret_key: str | None = None
    files_dir: Path = Path("var/files")
    max_upload: int = GIB
    free_space: int = 256 * MIB
    rate_limit: str | None = "600 per minute"
    rate_limit_storage: str = "memory://"
    webhook_networks: tuple[Network, ...] = ()
    embed_origins: tuple[str, ...] = ()
    lease_seconds: int = 30
    drain_seconds: int = 2

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings; raises AdvisorError with the variable's name where one cannot be used."""
        given = os.environ if environment is None else environment
        usual = cls()
        max_body = _whole_number(given, "ADVISOR_MAX_BODY", MIB, 1024, GIB)
        data_dir = given.get("ADVISOR_DATA_DIR")
        level = (given.get("ADVISOR_LOG_LEVEL") or "INFO").upper()
        if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise AdvisorError(f"ADVISOR_LOG_LEVEL is {level!r}; it is DEBUG, INFO, WARNING or ERROR.")
        return cls(
            data_dir=Path(data_dir) if data_dir else None,
            max_body=max_body,
            max_batch_body=8 * max_body,
            trusted_hosts=_several(given, "ADVISOR_TRUSTED_HOSTS"),
            proxy_hops=_whole_number(given, "ADVISOR_PROXY_HOPS", 0, 0, 10),
            log_level=level,
            database_url=given.get("ADVISOR_DATABASE_URL") or usual.database_url,
            secret_key=_secret_key(given),
            files_dir=Path(given.get("ADVISOR_FILES_DIR") or usual.files_dir),
            max_upload=_whole_number(given, "ADVISOR_MAX_UPLOAD", GIB, 1024, 2**40),
            free_space=_whole_number(given, "ADVISOR_FREE_SPACE", usual.free_space, 0, 2**50),
            rate_limit=_rate_limit(given, usual.rate_limit),
            rate_limit_storage=_rate_limit_storage(given, usual.rate_limit_storage),
            webhook_networks=_networks(given),
            embed_origins=_origins(given),
            lease_seconds=_whole_number(given, "ADVISOR_LEASE_SECONDS", usual.lease_seconds, 1, 3600),
            drain_seconds=_whole_number(given, "ADVISOR_DRAIN_SECONDS", usual.drain_seconds, 0, 600),
        )

    @property
    def _secret_path(self) -> Path:
        return self.files_dir.parent / "secret-key"

    def kept_secret(self) -> bytes | None:
        """Give the secret as `secret` does, but make none where there is none yet. Raises AdvisorError."""
        if self.secret_key is None and not self._secret_path.exists():
            return None
        return self.secret()

    def secret(self) -> bytes:
        """Give the secret that keys and webhook signatures rest on.

        Without ADVISOR_SECRET_KEY it is made once and kept beside the files, for one machine. Raises AdvisorError.
        """
        if self.secret_key is not None:
            return self.secret_key.encode()
        path = self._secret_path
        try:
            with suppress(FileExistsError):
                _write_once(path, secrets.token_hex(32))
            return path.read_bytes().strip()
        except OSError as error:
            raise AdvisorError(
                f"The secret of this advisor cannot be kept in {path}: {error.strerror}. Set ADVISOR_SECRET_KEY."
            ) from None


def read_origin(text: str) -> str:
    """Read an exact origin: scheme, host and port as a browser sends them. Raises AdvisorError."""
    origin = text.lower()
    match = _ORIGIN.fullmatch(origin)
    scheme, host, port = match.groups() if match else ("", "", None)
    here = host in ("localhost", "127.0.0.1") or host.endswith(".localhost")  # browsers look no further for either
    secure = scheme == "https" or (scheme == "http" and here)
    if not secure or int(port or 1) > LARGEST_PORT or port == DEFAULT_PORTS[scheme]:
        raise AdvisorError(
            f"{text!r} is no origin. One is exact, without a path: https://www.example.com, or https://example.com:8443."
        )
    return origin


def variables() -> list[str]:
    """Name every variable that is read."""
    names: list[str] = []

    class Noting(dict[str, str]):
        def get(self, key: str, default: Any = None) -> Any:
            names.append(key)
            return default

    Settings.from_environment(Noting())
    return names


def unknown_variables() -> list[str]:
    """Say of each ADVISOR_* variable that is set and that nothing reads which one may be meant."""
    known, said = variables(), []
    for name in sorted(name for name in os.environ if name.startswith("ADVISOR_") and name not in known):
        similar = difflib.get_close_matches(name, known, 1, 0.8)
        meant = f" {similar[0]} may be meant." if similar else " The table in the README names those there are."
        said.append(f"{name} is set, and there is no such setting.{meant}")
    return said


def _write_once(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all; raises FileExistsError where there is one."""
    if path.exists():
        raise FileExistsError
    for folder in (*reversed(path.parent.parents), path.parent):
        folder.mkdir(mode=0o700, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _several(given: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in given.get(name, "").split(",") if one.strip())


def _secret_key(given: Mapping[str, str]) -> str | None:
    key = given.get("ADVISOR_SECRET_KEY") or None
    if key is not None and len(key) < SHORTEST_SECRET:
        raise AdvisorError(
            f"ADVISOR_SECRET_KEY has {len(key)} characters; it has at least {SHORTEST_SECRET}, chosen by chance. "
            "`python3 -c 'import secrets; print(secrets.token_hex(32))'` makes one."
        )
    return key


def _networks(given: Mapping[str, str]) -> tuple[Network, ...]:
    found = []
    for text in _several(given, "ADVISOR_WEBHOOK_NETWORKS"):
        try:
            found.append(ipaddress.ip_network(text))
        except ValueError:
            raise AdvisorError(
                f"ADVISOR_WEBHOOK_NETWORKS holds {text!r}; it holds networks such as 10.1.0.0/16, with commas between."
            ) from None
    return tuple(found)


def _origins(given: Mapping[str, str]) -> tuple[str, ...]:
    name = "ADVISOR_EMBED_ORIGINS"
    try:
        return tuple(dict.fromkeys(read_origin(one) for one in _several(given, name)))
    except AdvisorError as error:
        raise AdvisorError(f"{name} cannot be used: {error} Several stand with commas between.") from None


def _rate_limit(given: Mapping[str, str], default: str | None) -> str | None:
    text = given.get("ADVISOR_RATE_LIMIT", "").strip()
    if not text:
        return default
    if text.lower() == "off":
        return None
    from limits import parse_many  # only here: what it imports takes longer than the rest of the settings

    try:
        usable = all(item.amount >= 1 for item in parse_many(text))
    except ValueError:
        usable = False
    if not usable:
        raise AdvisorError(
            f"ADVISOR_RATE_LIMIT is {text!r}; it is off, or limits such as `600 per minute` or `20/second; 5000/hour`."
        )
    return text


def _rate_limit_storage(given: Mapping[str, str], default: str) -> str:
    url = given.get("ADVISOR_RATE_LIMIT_STORAGE") or default
    if not url.startswith(("memory://", "redis://", "rediss://", "redis+unix://")):
        raise AdvisorError("ADVISOR_RATE_LIMIT_STORAGE cannot be used: it is memory://, or redis://HOST:PORT/NUMBER.")
    return url


def _whole_number(given: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = given.get(name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
        raise AdvisorError(f"{name} is {text!r}; it is a whole number from {low} to {high}.")
    return int(text)
