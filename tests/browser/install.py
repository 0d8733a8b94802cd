"""Find a browser for the browser tests, or install one: `make test-browser` calls this once."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

USUAL = "/usr/bin/chromium"
# The fonts are for the screenshots: without them, Chinese and emoji are empty boxes there.
PACKAGES = ("chromium", "fonts-dejavu-core", "fonts-noto-cjk", "fonts-noto-color-emoji")


def chromium() -> str | None:
    """Name the program of $ADVISOR_CHROMIUM or the system's; None stands for the one that Playwright brings."""
    return os.environ.get("ADVISOR_CHROMIUM") or (USUAL if Path(USUAL).exists() else None)


def main() -> None:
    """Install a browser where there is none: on Debian its own package, elsewhere Playwright's."""
    if chromium():
        return
    with sync_playwright() as playwright:
        if Path(playwright.chromium.executable_path).exists():
            return
    rights = _rights()
    if _is_debian() and rights is not None:
        quiet = [*rights, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
        subprocess.run([*quiet, "update"], check=True)
        subprocess.run([*quiet, "install", "--yes", "--no-install-recommends", *PACKAGES], check=True)
    else:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)


def _is_debian() -> bool:
    release = Path("/etc/os-release")
    return bool(shutil.which("apt-get")) and release.exists() and "ID=debian" in release.read_text().splitlines()


def _rights() -> list[str] | None:
    """Say how to run a command as root; None where that takes a password or is not allowed."""
    if os.geteuid() == 0:
        return []
    if (
        shutil.which("sudo")
        and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    ):
        return ["sudo", "-n"]
    return None


if __name__ == "__main__":
    main()
