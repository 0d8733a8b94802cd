"""The settings, read once from ADVISOR_* environment variables. One table in the README names them all."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from advisor.errors import AdvisorError

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Settings:
    """How this process runs."""

    data_dir: Path | None = None
    max_body: int = MIB
    max_batch_body: int = 8 * MIB
    trusted_hosts: tuple[str, ...] = ()
    proxy_hops: int = 0
    log_level: str = "INFO"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings; raises AdvisorError with the variable's name where one cannot be used."""
        given = os.environ if environment is None else environment
        max_body = _whole_number(given, "ADVISOR_MAX_BODY", MIB, 1024, 2**30)
        data_dir = given.get("ADVISOR_DATA_DIR")
        level = given.get("ADVISOR_LOG_LEVEL", "INFO").upper()
        if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise AdvisorError(f"ADVISOR_LOG_LEVEL is {level!r}; it is DEBUG, INFO, WARNING or ERROR.")
        return cls(
            data_dir=Path(data_dir) if data_dir else None,
            max_body=max_body,
            max_batch_body=8 * max_body,
            trusted_hosts=tuple(
                host.strip() for host in given.get("ADVISOR_TRUSTED_HOSTS", "").split(",") if host.strip()
            ),
            proxy_hops=_whole_number(given, "ADVISOR_PROXY_HOPS", 0, 0, 10),
            log_level=level,
        )


def _whole_number(given: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
        raise AdvisorError(f"{name} is {text!r}; it is a whole number from {low} to {high}.")
    return int(text)
