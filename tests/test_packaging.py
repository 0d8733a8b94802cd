"""What is installed: the wheel holds its data and templates and works outside the checkout; the locks hold versions."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ("requirements.txt", "requirements-dev.txt", "requirements-browser.txt")


def python(*args: str, interpreter: Path | str = sys.executable, cwd: Path = ROOT) -> str:
    """Run Python, without the network; gives what it printed."""
    done = subprocess.run([interpreter, *args], cwd=cwd, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel."""
    to = tmp_path_factory.mktemp("wheel")
    python(
        "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(to), "."
    )
    (built,) = to.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an environment of its own, which borrows only the dependencies of this one."""
    place = tmp_path_factory.mktemp("installed") / "venv"
    python("-m", "venv", "--without-pip", str(place))
    interpreter = place / "bin" / "python"
    python("-m", "pip", "--python", str(interpreter), "install", "--quiet", "--no-deps", "--no-index", str(wheel))
    borrowed = [path for path in sys.path if Path(path).name == "site-packages"]
    own = Path(python("-c", "import sysconfig; print(sysconfig.get_path('purelib'))", interpreter=interpreter).strip())
    # What a .pth file names comes after the environment's own, and .pth files in there (this checkout's) are not read.
    (own / "borrowed.pth").write_text("".join(f"{path}\n" for path in borrowed))
    return place / "bin"


def test_the_wheel_holds_the_data_and_the_templates(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        for folder, inside in (("data", "advisor/data"), ("advisor", "advisor")):
            for file in sorted((ROOT / folder).rglob("*")):
                if file.is_file() and "__pycache__" not in file.parts:
                    name = f"{inside}/{file.relative_to(ROOT / folder).as_posix()}"
                    assert archive.read(name) == file.read_bytes()
                    names.remove(name)
    rest = {name for name in names if ".dist-info/" not in name}
    assert rest == set()


def test_the_installed_wheel_works_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    where = python("-c", "import advisor; print(advisor.__file__)", interpreter=installed / "python", cwd=tmp_path)
    assert where.startswith(str(installed.parent))
    advisor = str(installed / "advisor")
    checked = python(advisor, "check-data", interpreter=installed / "python", cwd=tmp_path)
    assert checked.endswith("No mistakes.\n")
    priced = ["fees", "--marketplace", "US", "--as-of", "2026-11-22", "--category", "jewelry", "--price", "300.00"]
    assert re.search(
        r"Referral fee +52\.50\n", python(advisor, *priced, interpreter=installed / "python", cwd=tmp_path)
    )
    served = "from advisor.web import create_app; print(create_app().test_client().get('/docs').status_code)"
    assert python("-c", served, interpreter=installed / "python", cwd=tmp_path) == "200\n"


def pins(lock: str) -> dict[str, list[Requirement]]:
    """Read a lock; a package may be pinned once for each of several Pythons."""
    found: dict[str, list[Requirement]] = {}
    for line in (ROOT / lock).read_text().splitlines():
        if line and not line.startswith((" ", "#")):
            pin = Requirement(line.removesuffix("\\"))
            found.setdefault(canonicalize_name(pin.name), []).append(pin)
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_every_package_with_hashes_and_names_no_place(lock: str) -> None:
    text = (ROOT / lock).read_text()
    entries = re.split(r"\n(?=[a-zA-Z])", text)[1:]
    assert len(entries) == sum(map(len, pins(lock).values())) > 0
    for entry in entries:
        assert re.match(r"[a-z0-9.-]+==[^\s;]+( ; [^\\]+)? \\\n    --hash=sha256:[0-9a-f]{64}", entry)
    assert not re.search(r"://|--(extra-)?index-url|--find-links|^ *(/|\.\.?/)", text, re.MULTILINE)


def test_the_locks_serve_what_the_project_asks_for() -> None:
    groups = PROJECT["dependency-groups"]
    run = [*PROJECT["project"]["dependencies"], *groups["build"], *PROJECT["build-system"]["requires"]]
    for lock, asked in zip(LOCKS, (run, [*run, *groups["dev"]], groups["browser"]), strict=True):
        pinned = pins(lock)
        for requirement in map(Requirement, asked):
            for pin in pinned[canonicalize_name(requirement.name)]:
                (version,) = (one.version for one in pin.specifier)
                assert requirement.specifier.contains(version), (
                    f"{lock} pins {pin}, asked for is {requirement}: make lock"
                )


def test_the_lock_of_the_tests_pins_what_the_lock_for_serving_pins() -> None:
    serving, testing = pins(LOCKS[0]), pins(LOCKS[1])
    different = {name for name, several in serving.items() if testing.get(name) != several}
    assert different == set()


def test_the_lock_of_the_browser_tests_changes_nothing_of_the_tests() -> None:
    testing, browser = pins(LOCKS[1]), pins(LOCKS[2])
    different = {
        name
        for name, several in browser.items()
        if name in testing and {pin.specifier for pin in several} != {pin.specifier for pin in testing[name]}
    }
    assert different == set()
