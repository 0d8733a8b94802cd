"""The `advisor` command: what it prints, what it refuses, and how it ends."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from fractions import Fraction
from io import StringIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from advisor.catalog import Catalog
from advisor.cli import ExitCode, main
from advisor.cli.account import allowance_used
from advisor.cli.terminal import bar
from advisor.messages import messages_in
from advisor.services.calculations import Services
from advisor.settings import Settings, variables

ADVISOR = Path(sys.executable).with_name("advisor")
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")

ACCOUNT = {
    "marketplace": "US",
    "as_of": "2026-11-22",
    "programs": ["enterprise-mall"],
    "facts": {"selling_plan": "professional", "fulfillment": "seller", "tracking_on_every_package": True},
    "metrics": {
        "order_defect_rate": {"count": 3, "of": 1200},
        "return_rate": {"count": 24, "of": 1200},
        "pre_fulfillment_cancellation_rate": {"count": 1, "of": 150, "window_days": 7},
        "late_shipment_rate": [
            {"count": 1, "of": 200, "window_days": 10},
            {"count": 4, "of": 600, "window_days": 30},
        ],
        "valid_tracking_rate": {"rate": "0.981"},
    },
}
FAILING = {
    "marketplace": "US",
    "as_of": "2026-11-22",
    "facts": {"selling_plan": "professional"},
    "metrics": {
        "negative_feedback_rate": {"count": 4, "of": 1200},
        "a_to_z_claim_rate": {"count": 3, "of": 1200},
        "chargeback_rate": {"count": 0, "of": 1200},
        "pre_fulfillment_cancellation_rate": {"rate": "0.05"},
        "late_shipment_rate": {"count": 15, "of": 600},
    },
}
SALE = {
    "marketplace": "US",
    "as_of": "2026-11-22",
    "selling_plan": "professional",
    "lines": [{"ref": "ring", "category": "jewelry", "price": "300.00", "units": 10, "unit_cost": "180.00"}],
}
SALE_OPTIONS = ["--marketplace", "US", "--as-of", "2026-11-22", "--category", "jewelry", "--price", "300.00"]

# Settings of whoever runs the tests stay out of them.
UNSET = [
    "COLUMNS",
    "NO_COLOR",
    "FORCE_COLOR",
    "HOST",
    "PORT",
    *(name for name in os.environ if name.startswith("ADVISOR_")),
]


def environment(**changes: str) -> dict[str, str]:
    """Make an environment for a process of its own."""
    return {name: value for name, value in os.environ.items() if name not in UNSET} | changes


def run(*args: str, input: str | bytes | None = None, **env: str) -> Result:  # noqa: A002
    """Run the command in this process."""
    variables: dict[str, str | None] = dict.fromkeys(UNSET)
    return CliRunner(env=variables | env).invoke(main, args, input=input)


def execute(*args: str, input: bytes = b"", **env: str) -> subprocess.CompletedProcess[bytes]:  # noqa: A002
    """Run the command in a process of its own."""
    return subprocess.run([ADVISOR, *args], input=input, capture_output=True, env=environment(**env), timeout=60)


def body(tmp_path: Path, content: Any) -> str:
    """Write a request body into a file."""
    file = tmp_path / "body.json"
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return str(file)


# The command itself


@pytest.mark.parametrize("args", [["--help"], ["assess", "--help"], ["score", "--help"]])
def test_help_imports_nothing_heavy(args: list[str]) -> None:
    code = (
        "import sys; from advisor.cli import main; main(sys.argv[1:], standalone_mode=False); "
        "print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, check=True)
    assert "Usage:" in done.stdout
    loaded = set(done.stderr.split())
    assert "click" in loaded
    assert not loaded & {
        "ibis",
        "duckdb",
        "pyarrow",
        "pandas",
        "numpy",
        "flask",
        "rich",
        "babel",
        "marshmallow",
        "gunicorn",
    }


def test_help_documents_commands_and_exit_codes() -> None:
    shown = run("--help").stdout
    for name in ("serve", "worker", "assess", "fees", "score", "check-data", "db", "keys", "doctor"):
        assert re.search(rf"^  {name} ", shown, re.MULTILINE)
    for code in ExitCode:
        assert re.search(rf"\b{code.value}\b", shown)


def test_version() -> None:
    assert re.fullmatch(r"advisor, version \d+\.\d+\.\d+\n", run("--version").stdout)


@pytest.mark.parametrize(
    "args", [["nonsense"], ["assess", "a", "b"], ["fees", "--nonsense"], ["check-data", "--max-age", "-1"]]
)
def test_wrong_usage_is_2(args: list[str]) -> None:
    result = run(*args)
    assert result.exit_code == ExitCode.UNUSABLE
    assert "Error: " in result.stderr


def test_an_unforeseen_failure_is_3_with_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Services, "assessments", lambda *_: 1 // 0)
    result = run("assess", input=json.dumps(ACCOUNT))
    assert result.exit_code == ExitCode.FAILED
    assert "ZeroDivisionError" in result.stderr
    assert result.stderr.endswith("advisor: the advisor itself failed. Please report the lines above.\n")


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Services, "assessments", interrupted)
    result = run("assess", input=json.dumps(ACCOUNT))
    assert (result.exit_code, result.stderr) == (ExitCode.INTERRUPTED, "advisor: interrupted.\n")


@pytest.mark.parametrize("args", [["--json"], []])
def test_a_reader_that_went_away_is_quiet(args: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        command = [ADVISOR, "fees", "--list", "--marketplace", "US", *args]
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, env=environment(), timeout=60)
    assert (done.returncode, done.stderr) == (ExitCode.PIPE_CLOSED, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_a_sentence() -> None:
    with Path("/dev/full").open("wb") as full:
        command = [ADVISOR, "fees", "--list", "--marketplace", "US"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=environment(), timeout=60)
    assert (done.returncode, done.stderr) == (ExitCode.UNUSABLE, b"advisor: No space left on device.\n")


# Bad input, the same to every command that reads a body


@pytest.mark.parametrize("command", ["assess", "fees"])
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "The JSON text is empty"),
        (b"seller,rate\n1,2\n", "This is not JSON at line 1, column 1"),
        (b'{"marketplace": "US", "marketplace": "CA"}', "The key 'marketplace' stands twice"),
        (b'{"marketplace": NaN}', "NaN is not JSON"),
        (b"\xff\xfe{}", "Byte 0 is not UTF-8"),
        (b"[" * 100, "nested more than 32 levels deep"),
        (b"[]", "  /: The body has to be a JSON object."),
        (b'{"marketplace": "XX", "lines": []}', "  /marketplace: Allowed are US, CA,"),
        (b'{"colour": "red"}', "  /colour: There is no such field here. There are marketplace, as_of, "),
        (b'{"marketplace": "US", "as_of": "2026-02-30"}', "  /as_of: A date is written YYYY-MM-DD"),
        (b'{"marketplace": "U\\u0000S"}', "  /marketplace: This text holds a NUL character."),
    ],
)
def test_a_bad_body_is_a_sentence_with_its_place(tmp_path: Path, command: str, content: bytes, told: str) -> None:
    file = body(tmp_path, content)
    for result in (run(command, file), run(command, "-", input=content), run(command, input=content)):
        assert result.exit_code == ExitCode.UNUSABLE
        assert result.stdout == ""
        assert told in result.stderr
        assert "Traceback" not in result.stderr
    assert run(command, file).stderr.startswith(f"advisor: {file} cannot be used")
    assert run(command, input=content).stderr.startswith("advisor: standard input cannot be used")


@pytest.mark.parametrize("command", ["assess", "fees"])
def test_a_file_that_cannot_be_read(tmp_path: Path, command: str) -> None:
    for name, told in [
        (str(tmp_path / "none.json"), f"There is no file {tmp_path}/none.json."),
        (str(tmp_path), f"{tmp_path} is a directory. Name a JSON file in it."),
        (str(tmp_path / ("x" * 300)), "cannot be read: File name too long."),
        ("a\0b", "cannot be read: embedded null byte."),
    ]:
        result = run(command, name)
        assert (result.exit_code, result.stdout) == (ExitCode.UNUSABLE, "")
        assert told in result.stderr


@pytest.mark.parametrize("command", ["assess", "fees"])
def test_a_body_that_is_too_large(tmp_path: Path, command: str) -> None:
    for result in (
        run(command, body(tmp_path, b" " * 1025), ADVISOR_MAX_BODY="1024"),
        run(command, input=b" " * (2**20 + 1)),
    ):
        assert result.exit_code == ExitCode.UNUSABLE
        assert "the most that is taken. ADVISOR_MAX_BODY raises that." in result.stderr


@pytest.mark.parametrize("command", ["assess", "fees"])
def test_rule_data_that_cannot_be_read(tmp_path: Path, command: str) -> None:
    given = json.dumps(ACCOUNT if command == "assess" else SALE)
    none = run(command, input=given, ADVISOR_DATA_DIR=str(tmp_path / "none"))
    assert none.stderr == f"advisor: There is no directory {tmp_path}/none with rule data. ADVISOR_DATA_DIR names it.\n"
    empty = run(command, input=given, ADVISOR_DATA_DIR=str(tmp_path))
    assert empty.stderr.startswith(f"advisor: The rule data {tmp_path} cannot be used.\n  ")
    assert empty.stderr.endswith(".toml: file: this file is missing\n")
    assert {none.exit_code, empty.exit_code} == {ExitCode.UNUSABLE}


def test_a_port_that_is_no_number_is_refused_in_a_sentence() -> None:
    refused = run("serve", PORT="abc")
    assert refused.exit_code == ExitCode.UNUSABLE
    assert refused.stderr.endswith(" (env var: 'PORT'): 'abc' is no whole number from 0 to 65535.\n")
    refused = run("check-data", "--max-age", "1.5")
    assert refused.stderr.endswith("'1.5' is no whole number from 0 to 100000.\n")


def test_a_setting_that_is_empty_is_not_set() -> None:
    assert Settings.from_environment(dict.fromkeys(variables(), "")) == Settings.from_environment({})


def test_a_setting_that_cannot_be_used() -> None:
    result = run("assess", input="{}", ADVISOR_MAX_BODY="lots")
    assert result.exit_code == ExitCode.UNUSABLE
    assert result.stderr == "advisor: ADVISOR_MAX_BODY is 'lots'; it is a whole number from 1024 to 1073741824.\n"


# assess


def test_assess_answers_first_and_orders_findings(tmp_path: Path) -> None:
    result = run("assess", body(tmp_path, FAILING))
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "Amazon Business seller program (Enterprise Mall), United States (US), 2026-11-22"
    assert lines[1] == "Not eligible: at least one required criterion is missed. Score: 0 of 100."
    titles = [line for line in lines if line in ("✗ Missed", "? Unknown", "✓ Met", "– Not applicable")]
    assert titles == ["✗ Missed", "? Unknown", "✓ Met", "– Not applicable"]
    sections = [line for line in lines if line in ("Why", "What is missing", "What to do", "Sources")]
    assert sections == ["Why", "What is missing", "What to do", "Sources"]


def test_assess_shows_value_bar_room_and_level(tmp_path: Path) -> None:
    failing = run("assess", body(tmp_path, FAILING), COLUMNS="140").stdout
    passing = run("assess", body(tmp_path, ACCOUNT), COLUMNS="140").stdout
    columns = re.compile(r" {2,}")

    def row(shown: str, label: str) -> list[str]:
        line = next(line for line in shown.splitlines() if line.startswith(label))
        return columns.split(re.sub(r" \[[0-9,]+\]", "", line))

    late = "Late shipment rate, 30 days"
    assert row(failing, late) == [late, "2.5% (15 of 600)", "below 2%", "██████████┃██▌", "4 too many", "required"]
    assert row(passing, late) == [late, "0.6667% (4 of 600)", "below 2%", "███▍░░░░░░┃", "7 more", "required"]
    defects = ["Order defect rate", "0.3333% to 0.5833%", "below 0.5%", "██████▋▒▒▒┃▒▒", "required"]
    assert row(failing, "Order defect rate") == defects
    tracking = ["Valid tracking rate, 30 days", "98.1%", "above 95%", "███▊░░░░░░┃", "3.1 points left", "advisory"]
    assert row(passing, "Valid tracking rate") == tracking
    assert row(failing, "Valid tracking rate") == ["Valid tracking rate, 30 days", "not given", "above 95%", "advisory"]
    assert row(passing, "Return rate") == ["Return rate", "2% (24 of 1200)", "none published", "advisory"]
    assert row(passing, "Tracking number") == ["Tracking number on every package", "yes", "yes", "advisory"]


def test_assess_says_what_is_missing_what_to_do_and_where_it_stands(tmp_path: Path) -> None:
    shown = run("assess", body(tmp_path, FAILING), COLUMNS="200").stdout
    assert "  • Order defect rate, 60 days (metrics.order_defect_rate)\n" in shown
    assert re.search(r"What to do\n  1\. Order processing: ", shown)
    assert "  • Late shipment rate, 30 days: further orders without a defect until it is met again: 151.\n" in shown
    assert "An account that misses this is not eligible." in shown
    assert re.search(r"\[1\] .+, read on \d{4}-\d\d-\d\d\.\n +https://\S+\n", shown)
    unused = run("assess", body(tmp_path, ACCOUNT)).stdout
    assert "If nothing is done" not in unused
    critical = {"marketplace": "US", "as_of": "2026-11-22", "programs": ["account-health-seller-fulfilled"]}
    critical |= {"facts": {"account_health_rating": 50}}
    follows = run("assess", body(tmp_path, critical), COLUMNS="200").stdout.partition("\nIf nothing is done\n")[2]
    assert re.match(r"(  • [^•]+: [^•]+ \[[0-9,]+\]\n){4}", follows) and "  • (not published) " in follows
    assert "Given, but read by no criterion\n  • Late shipment rate, 10 days (metrics.late_shipment_rate)\n" in unused


def test_assess_answers_the_checklist_of_each_stage(tmp_path: Path) -> None:
    shown = run("assess", body(tmp_path, FAILING), COLUMNS="200").stdout
    ready = shown[shown.index("Is it ready?") : shown.index("Sources\n")]
    assert re.findall(r"^(\w[\w -]+)$", ready, re.MULTILINE)[:5] == [
        "Registration", "Listing", "Order processing", "Logistics", "After-sales",
    ]  # fmt: skip
    assert "  ✗ The handling time of each product is what it really takes.\n" in ready
    assert "  ? Invoices of suppliers are kept for every product.\n" in ready
    assert "In Europe, invoices" not in ready


def test_assess_says_what_another_published_figure_would_answer() -> None:
    account = {"marketplace": "US", "as_of": "2026-11-22", "metrics": {"late_shipment_rate": {"count": 9, "of": 600}}}
    shown = run("assess", input=json.dumps(account), COLUMNS="140").stdout
    said = r"Late shipment rate, 30 days: below 1% is printed too; by that it is missed\. \[\d+\]\n"
    assert re.search(r"Other published figures\n  • " + said, shown)


@pytest.mark.parametrize(("width", "line"), [("140", "band +At risk, 100 to 199"), ("60", "band: At risk, 100 to 199")])
def test_assess_says_once_in_which_band_a_rating_lies(width: str, line: str) -> None:
    account = {"marketplace": "US", "as_of": "2026-11-22", "facts": {"account_health_rating": 150}}
    shown = run(
        "assess", "--program", "account-health-seller-fulfilled", input=json.dumps(account), COLUMNS=width
    ).stdout
    missed = shown[shown.index("Missed") : shown.index("Unknown")]
    assert re.search(rf"^ +{line}$", missed, re.MULTILINE)
    assert shown.count("At risk") == 1


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "Eligible: every required criterion is met. Score: 67 of 100."),
        (
            {"facts": {"selling_plan": "individual"}},
            "Not eligible: at least one required criterion is missed. Score: 0 of 100.",
        ),
        ({"metrics": {}}, "Undetermined: no required criterion is missed, but not all of them can be answered."),
        (
            {"marketplace": "AU"},
            "Not covered: no rule of this program holds in AU on 2026-11-22, so nothing is judged.",
        ),
    ],
)
def test_assess_is_0_whatever_the_verdict(changes: dict[str, Any], verdict: str) -> None:
    result = run("assess", input=json.dumps(ACCOUNT | changes))
    assert (result.exit_code, result.stdout.splitlines()[1]) == (0, verdict)


@pytest.mark.parametrize("account", [ACCOUNT, FAILING], ids=["passing", "failing"])
def test_assess_json_is_the_services_answer(catalog: Catalog, account: dict[str, Any]) -> None:
    result = run("assess", "--json", input=json.dumps(account))
    answer = Services(catalog).assessments(account, messages_in("en"))
    assert result.exit_code == 0
    assert orjson.dumps(orjson.loads(result.stdout_bytes)) == orjson.dumps(answer)


def test_assess_options_override_the_body() -> None:
    programs = ["account-health-amazon-fulfilled", "enterprise-mall"]
    options = ["--marketplace", "gb", "--as-of", "2026-11-01", "--program", programs[0], "--program", programs[1]]
    result = run("assess", "--json", *options, input=json.dumps(ACCOUNT))
    answer = json.loads(result.stdout)
    assert (answer["marketplace"], answer["as_of"]) == ("UK", "2026-11-01")
    assert [one["program"] for one in answer["assessments"]] == programs
    shown = run("assess", *options, input=json.dumps(ACCOUNT)).stdout
    assert shown.count(", United Kingdom (UK), 2026-11-01\n") == 2


def test_assess_names_the_option_that_is_wrong() -> None:
    options = ["--marketplace", "XX", "--as-of", "today"]
    shown = run("assess", *options, input=json.dumps(ACCOUNT)).stderr
    assert "  --marketplace: Allowed are US," in shown
    assert "  --as-of: A date is written" in shown
    programs = run("assess", "--program", "mall", input=json.dumps(ACCOUNT))
    assert "  --program: There is no such program. There are enterprise-mall," in programs.stderr
    assert programs.exit_code == ExitCode.UNUSABLE


def test_assess_names_every_wrong_value_by_its_pointer() -> None:
    wrong = {
        "marketplace": "US",
        "facts": {"selling_plan": "gold"},
        "metrics": {"order_defect_rate": {"count": 5, "of": 3}, "late_shipment_rate": [{"rate": "2 %"}]},
        "programs": ["mall"],
    }
    shape = run("assess", input=json.dumps(wrong)).stderr
    assert "  /metrics/order_defect_rate: 5 of 3 is impossible" in shape
    assert "  /metrics/late_shipment_rate/0/rate: A rate has digits" in shape
    names = run("assess", input=json.dumps(wrong | {"metrics": {"odr": {"count": 1}}})).stderr
    for place in ("/programs/0", "/facts/selling_plan", "/metrics/odr"):
        assert f"\n  {place}: " in names


@pytest.mark.parametrize("account", [ACCOUNT, FAILING], ids=["passing", "failing"])
@pytest.mark.parametrize("width", [40, 60, 80, 96, 100])
def test_output_fits_the_terminal(account: dict[str, Any], width: int) -> None:
    shown = run("assess", input=json.dumps(account), COLUMNS=str(width)).stdout
    too_wide = [line for line in shown.splitlines() if len(line) > width and "://" not in line]
    assert too_wide == []


def test_a_narrow_terminal_gives_every_finding_lines_of_its_own() -> None:
    shown = run("assess", input=json.dumps(FAILING), COLUMNS="60").stdout
    label = r"Late shipment rate, 30 days \[[0-9,]+\]\n"
    values = r"  2\.5% \(15 of 600\); the bar: below 2%; required\n  █{10}┃██▌ +4 too many\n"
    assert re.search(label + values, shown)


def test_colors_add_nothing_but_colors() -> None:
    plain = run("assess", input=json.dumps(FAILING), COLUMNS="100").stdout
    colored = run("assess", input=json.dumps(FAILING), COLUMNS="100", FORCE_COLOR="1", TERM="xterm-256color").stdout
    assert "\x1b" not in plain
    assert "\x1b[" in colored

    def lines(shown: str) -> list[str]:
        return [line.rstrip() for line in ESCAPES.sub("", shown).splitlines()]

    assert lines(colored) == lines(plain)
    colorless = run("assess", input=json.dumps(FAILING), COLUMNS="100", FORCE_COLOR="1", NO_COLOR="1").stdout
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", colorless)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_unicode(encoding: str) -> None:
    done = execute("assess", input=json.dumps(FAILING).encode(), PYTHONIOENCODING=encoding, COLUMNS="60")
    assert (done.returncode, done.stderr) == (0, b"")
    shown = done.stdout.decode("ascii")
    assert "\nx Missed\n" in shown
    assert "\n  ##########|###    4 too many\n" in shown
    assert "\n  #######===|==\n" in shown
    refused = execute("assess", "--program", "x“y–z", input=b'{"marketplace": "US"}', PYTHONIOENCODING=encoding)
    assert refused.stderr.decode("ascii").startswith("advisor: standard input cannot be used.\n")


def test_json_is_utf_8_whatever_the_terminal_speaks() -> None:
    sale = json.dumps(SALE | {"lines": [SALE["lines"][0] | {"ref": "Größe №5"}]}).encode()  # type: ignore[operator,index]
    done = execute("fees", "--json", input=sale, PYTHONIOENCODING="ascii")
    assert json.loads(done.stdout.decode("utf-8"))["lines"][0]["ref"] == "Größe №5"


def test_texts_from_files_cannot_steer_the_terminal() -> None:
    sale = SALE | {"lines": [SALE["lines"][0] | {"ref": "\x1b[31mred\x07"}]}  # type: ignore[operator,index]
    shown = run("fees", input=json.dumps(sale))
    assert "�[31mred�: Jewelry (jewelry)" in shown.stdout
    assert "\x1b" not in shown.stdout
    refused = run("assess", input=json.dumps({"\x1b[2J": 1}))
    assert "/�[2J: There is no such field here." in refused.stderr


@pytest.mark.parametrize(
    ("low", "high", "met", "drawn", "ascii_drawn"),
    [
        ("0", "0", True, "░░░░░░░░░░┃     ", "..........|     "),
        ("0.000001", "0.000001", True, "▏░░░░░░░░░┃     ", "#.........|     "),
        ("0.5", "0.5", True, "█████░░░░░┃     ", "#####.....|     "),
        ("0.999999", "0.999999", True, "█████████▉┃     ", "##########|     "),
        ("1", "1", True, "██████████┃     ", "##########|     "),
        ("1.000001", "1.000001", False, "██████████┃▏    ", "##########|#    "),
        ("1.5", "1.5", False, "██████████┃█████", "##########|#####"),
        ("1.6", "1.6", False, "██████████┃████▶", "##########|####>"),
        ("100", "100", False, "██████████┃████▶", "##########|####>"),
        ("0.2", "0.6", False, "██▒▒▒▒░░░░┃     ", "##====....|     "),
        ("0.2", "9", False, "██▒▒▒▒▒▒▒▒┃▒▒▒▒▶", "##========|====>"),
    ],
)
def test_the_limit_of_a_bar_stands_still(low: str, high: str, met: bool, drawn: str, ascii_drawn: str) -> None:
    class Ascii(StringIO):
        encoding = "ascii"

    used = Fraction(low), Fraction(high)
    assert bar(Console(file=StringIO()), *used, met=met).plain == drawn
    assert bar(Console(file=Ascii()), *used, met=met).plain == ascii_drawn


@pytest.mark.parametrize(
    ("comparison", "threshold", "observed", "used"),
    [
        ("below", "0.02", {"count": 4, "of": 600, "rate": "0.006667"}, ("1/3", "1/3")),
        ("at_most", "0.1", {"count": None, "of": None, "rate": "0.15"}, ("3/2", "3/2")),
        ("above", "0.95", {"count": None, "of": None, "rate": "0.981"}, ("19/50", "19/50")),
        ("at_least", "0.9", {"count": 80, "of": 100, "rate": "0.8"}, ("2", "2")),
        ("equals", 0, {"count": 0, "of": None, "rate": None}, ("0", "0")),
        ("equals", 0, {"count": 3, "of": None, "rate": None}, ("2", "2")),
        ("below", "0.005", {"rate": None, "between": {"lowest": "0.002", "highest": "0.006"}}, ("2/5", "6/5")),
        ("above", "0.95", {"count": 0, "of": 0, "rate": None}, None),
        ("below", "0.02", None, None),
        (None, None, {"count": 1, "of": 2, "rate": "0.5"}, None),
    ],
)
def test_allowance_used(comparison: Any, threshold: Any, observed: Any, used: tuple[str, str] | None) -> None:
    finding = {"metric": "x", "comparison": comparison, "threshold": threshold, "observed": observed}
    assert allowance_used(finding) == (None if used is None else (Fraction(used[0]), Fraction(used[1])))


# fees


def test_fees_shows_parts_tiers_prices_rule_and_sources() -> None:
    result = run("fees", input=json.dumps(SALE))
    assert (result.exit_code, result.stderr) == (0, "")
    shown = result.stdout
    assert shown.startswith("ring: Jewelry (jewelry), United States (US), 2026-11-22\n")
    assert re.search(r"^Referral fee +52\.50 +525\.00$", shown, re.MULTILINE)
    assert re.search(r"^Net proceeds +247\.50 +2475\.00$", shown, re.MULTILINE)
    assert "  • from 0.00 to 250.00: 20% of 250.00 is 50.00\n  • from 250.00 on: 5% of 50.00 is 2.50\n" in shown
    assert "Prices that leave a profit\n  • 225.00 USD or more\n" in shown
    assert "US fee schedule: graduated, taken of the total sales price, minimum 0.30. [1,2,3]\n" in shown
    assert "In force from 2019-02-19 (documented); verified on 2026-09-08; confidence high.\n" in shown
    assert "The selling plan costs 39.99 USD a month on top.\n" in shown
    assert re.search(r"\nSources\n  \[1\] ", shown)


def test_fees_of_one_sale_by_options_are_those_of_its_body() -> None:
    options = [*SALE_OPTIONS, "--units", "10", "--unit-cost", "180.00", "--selling-plan", "professional"]
    by_options = json.loads(run("fees", "--json", *options).stdout)
    by_body = json.loads(run("fees", "--json", input=json.dumps(SALE)).stdout)
    by_body["lines"][0]["ref"] = None
    assert by_options == by_body


def test_fees_takes_every_option(catalog: Catalog) -> None:
    line = {
        "shipping": "4.00",
        "gift_wrap": "1.00",
        "units": 3,
        "fulfillment": "amazon",
        "unit_cost": "9.00",
        "fulfillment_cost": "3.50",
        "refund_rate": "0.02",
        "tax_rate": "0.2",
    }
    top = {"marketplace": "UK", "as_of": "2026-11-22", "selling_plan": "individual", "established_in": "DE"}
    given = top | {"lines": [{"category": "jewellery", "price": "30.00"} | line]}
    named = top | {"category": "jewellery", "price": "30.00"} | line
    options = [part for key, value in named.items() for part in ("--" + key.replace("_", "-"), str(value))]
    result = run("fees", "--json", *options)
    assert result.exit_code == 0, result.stderr
    answer = Services(catalog).fee_estimates(given, messages_in("en"))
    assert orjson.dumps(orjson.loads(result.stdout_bytes)) == orjson.dumps(answer)


def test_fees_of_several_lines_are_added_up() -> None:
    sale = SALE | {"lines": [*SALE["lines"], {"category": "media", "price": "20.00"}]}  # type: ignore[misc]
    shown = run("fees", input=json.dumps(sale)).stdout
    assert re.search(r"All of it, a month\n +USD total\nTotal sales price +3020\.00\n", shown)
    assert re.search(r"^Closing fee +1\.80$", shown, re.MULTILINE)


def test_fees_says_what_is_unknown() -> None:
    shown = run("fees", *SALE_OPTIONS).stdout
    assert re.search(r"^Fee per item +unknown$", shown, re.MULTILINE)
    assert re.search(r"^Total of the known fees +52\.50$", shown, re.MULTILINE)
    assert "Warnings\n  ! " in shown
    assert "  • Not known: that needs the unit cost and every fee.\n" in shown


def test_fees_that_no_rule_covers_are_an_answer() -> None:
    result = run("fees", "--marketplace", "MX", "--category", "books", "--price", "3")
    assert result.exit_code == 0
    assert "No fee rule covers this marketplace" in result.stdout


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--price", "300.00"], ["--marketplace: This is missing", "--category: This is missing"]),
        ([*SALE_OPTIONS, "--price", "3e5"], ["--price: An amount has digits 0-9"]),
        ([*SALE_OPTIONS, "--price", "0"], ["--price: A price is above 0."]),
        ([*SALE_OPTIONS, "--price", "1.234"], ["--price: Amounts in USD have at most 2 decimals."]),
        ([*SALE_OPTIONS, "--units", "many"], ["--units: This has to be a whole number"]),
        ([*SALE_OPTIONS, "--units", "1_0"], ["--units: This has to be a whole number"]),
        ([*SALE_OPTIONS, "--units", "0"], ["--units: This may be from 1 to 1000000."]),
        ([*SALE_OPTIONS, "--fulfillment", "pigeon"], ["--fulfillment: Allowed are seller,"]),
        ([*SALE_OPTIONS, "--fulfillment", "easy_ship"], ["--fulfillment: In US allowed are seller,"]),
        ([*SALE_OPTIONS, "--refund-rate", "2 %"], ["--refund-rate: A rate has"]),
        ([*SALE_OPTIONS, "--selling-plan", "gold"], ["--selling-plan: Allowed are professional, individual."]),
        ([*SALE_OPTIONS, "--established-in", "Germany"], ["--established-in: A country is two letters"]),
        ([*SALE_OPTIONS, "--as-of", "22.11.2026"], ["--as-of: A date is written YYYY-MM-DD"]),
        (
            [*SALE_OPTIONS, "--category", "jewellery"],
            ["--category: The US fee schedule has no such category. Close to it are jewelry", "`advisor fees --list"],
        ),
    ],
)
def test_fees_names_the_option_that_is_wrong(options: list[str], told: list[str]) -> None:
    result = run("fees", *options)
    assert (result.exit_code, result.stdout) == (ExitCode.UNUSABLE, "")
    assert result.stderr.startswith("advisor: the options cannot be used.\n")
    for sentence in told:
        assert f"  {sentence}" in result.stderr


def test_fees_takes_a_file_or_options() -> None:
    both = run("fees", "body.json", "--price", "3")
    assert "Give either a file or one sale by options, not both: body.json and --price." in both.stderr
    listed = run("fees", "--list", "--marketplace", "US", "--price", "3")
    assert "--list takes --marketplace, --as-of and --json only." in listed.stderr
    assert {both.exit_code, listed.exit_code} == {ExitCode.UNUSABLE}


def test_fees_of_a_body_by_its_pointer() -> None:
    sale = SALE | {"lines": [{"category": "jewelry", "price": 3.5}, {"category": "moons", "price": "1"}]}
    shape = run("fees", "--established-in", "Germany", input=json.dumps(sale)).stderr
    assert "  /lines/0/price: An amount has to be sent as a text" in shape
    assert "  --established-in: A country is two letters" in shape
    sale["lines"][0]["price"] = "3.50"  # type: ignore[index]
    assert (
        "  /lines/1/category: The US fee schedule has no such category." in run("fees", input=json.dumps(sale)).stderr
    )


@pytest.mark.parametrize("place", ["US", "CA", "UK", "DE", "FR", "IT", "ES", "JP", "IN", "AU"])
def test_fees_lists_every_category(catalog: Catalog, place: str) -> None:
    shown = run("fees", "--list", "--marketplace", place, "--as-of", "2026-11-22").stdout
    listed = {line.split()[0] for line in shown.splitlines()[1:] if line.strip()}
    standing = {
        key
        for key, category in catalog.schedule(place).categories.items()
        if any(version.validity.covers(date(2026, 11, 22)) for version in category.versions)
    }
    assert standing
    assert standing <= listed


def test_fees_lists_rates_as_published() -> None:
    shown = run("fees", "--list", "--marketplace", "US", "--as-of", "2026-11-22", COLUMNS="140").stdout
    for row in (
        r"computers +8% +0\.30 +none",
        r"baby_products +8% of all up to 10\.00, 15% of all above +0\.30 +none",
        r"jewelry +20% of the part up to 250\.00, 5% of the part above +0\.30 +none",
        r"media +15% +none +1\.80",
    ):
        assert re.search(f"^{row}$", shown, re.MULTILINE)


def test_fees_lists_what_is_not_covered() -> None:
    result = run("fees", "--list", "--marketplace", "MX")
    assert result.exit_code == 0
    assert "No fee rule holds in MX" in result.stdout


def test_fees_list_json_is_the_services_answer(catalog: Catalog) -> None:
    result = run("fees", "--list", "--marketplace", "gb", "--as-of", "2026-11-22", "--json")
    answer = Services(catalog).schedule("UK", date(2026, 11, 22), messages_in("en"))
    assert orjson.dumps(orjson.loads(result.stdout_bytes)) == orjson.dumps(answer)


def test_fees_list_needs_a_marketplace_that_exists() -> None:
    assert "--list needs --marketplace." in run("fees", "--list").stderr
    result = run("fees", "--list", "--marketplace", "XX", "--as-of", "soon")
    assert result.exit_code == ExitCode.UNUSABLE
    assert "  --marketplace: Allowed are" in result.stderr
    assert "  --as-of: A date is written" in result.stderr


# check-data


@pytest.fixture
def data(tmp_path: Path, catalog: Catalog) -> Path:
    """Copy the rule data, to be spoilt."""
    return Path(shutil.copytree(catalog.data_dir, tmp_path / "data"))


def test_check_data_counts_what_it_checked() -> None:
    result = run("check-data")
    assert (result.exit_code, result.stderr) == (0, "")
    counts = (
        r"\d+ files: \d+ criteria of \d+ programs, \d+ fee categories of 11 marketplaces, \d+ sources\. No mistakes\.\n"
    )
    assert re.fullmatch(counts, result.stdout)


def test_check_data_lists_every_mistake(data: Path) -> None:
    for name, good, bad in [
        ("fees/us.toml", 'currency = "USD"', 'currency = "USD"\ncolour = "red"'),
        ("fees/de.toml", 'share = "20 %"', 'share = "20"'),
        ("programs/enterprise-mall.toml", 'value = "0.5 %"', 'value = "half"'),
    ]:
        file = data / name
        text = file.read_text()
        assert good in text
        file.write_text(text.replace(good, bad, 1))
    for result in (run("check-data", "--data-dir", str(data)), run("check-data", ADVISOR_DATA_DIR=str(data))):
        assert (result.exit_code, result.stderr) == (ExitCode.FOUND, "")
        *mistakes, closing = result.stdout.splitlines()
        assert sorted(line.split(": ")[0] for line in mistakes) == [
            "fees/de.toml",
            "fees/us.toml",
            "programs/enterprise-mall.toml",
        ]
        assert all(re.fullmatch(r"[a-z/.-]+: \S.*: .+", line) for line in mistakes)
        assert closing == f"3 mistakes in 3 files of {data}."


def test_check_data_of_an_unreadable_file(data: Path) -> None:
    (data / "metrics.toml").write_bytes(b"\xff")
    result = run("check-data", "--data-dir", str(data))
    assert result.exit_code == ExitCode.FOUND
    assert result.stdout.startswith("metrics.toml: file: this is not TOML in UTF-8: ")
    (data / "metrics.toml").unlink()
    (data / "metrics.toml").mkdir()
    result = run("check-data", "--data-dir", str(data))
    assert (result.exit_code, result.stderr) == (ExitCode.UNUSABLE, f"advisor: {data}/metrics.toml: Is a directory.\n")


def test_check_data_of_no_directory(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert run("check-data", "--data-dir", str(tmp_path / "none")).exit_code == ExitCode.UNUSABLE
    assert run("check-data", "--data-dir", str(file)).exit_code == ExitCode.UNUSABLE
    assert run("check-data", ADVISOR_DATA_DIR=str(file)).exit_code == ExitCode.UNUSABLE
    empty = run("check-data", "--data-dir", str(tmp_path))
    assert (empty.exit_code, empty.stdout.splitlines()[0]) == (
        ExitCode.FOUND,
        "metrics.toml: file: this file is missing",
    )


def test_check_data_lists_stale_facts_oldest_first(monkeypatch: pytest.MonkeyPatch, catalog: Catalog) -> None:
    days = sorted(one.day for one in catalog.confirmations())
    now = days[-1]
    monkeypatch.setattr("advisor.services.calculations.today", lambda: now)
    oldest = (now - days[0]).days
    assert oldest > 0
    fresh = run("check-data", "--max-age", str(oldest))
    assert (fresh.exit_code, fresh.stdout.splitlines()[1]) == (0, f"Every fact was confirmed within {oldest} days.")
    stale = run("check-data", "--max-age", str(oldest - 1))
    lines = stale.stdout.splitlines()
    number = days.count(days[0])
    assert stale.exit_code == ExitCode.FOUND
    assert len(lines) == number + 2
    assert all(line.endswith(f": last confirmed on {days[0]}, {oldest} days ago") for line in lines[1:-1])
    assert lines[-1].startswith(f"{number} fact")
    every = run("check-data", "--max-age", "0").stdout.splitlines()[1:-1]
    dates = [re.search(r"last confirmed on (\S+),", line)[1] for line in every]  # type: ignore[index]
    assert dates == sorted(dates)
    assert len(dates) == sum(day < now for day in days)


# serve


@contextmanager
def serving(**env: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a server on a free port; gives the process and its first line."""
    variables = environment(PORT="0", **env)
    command = [ADVISOR, "serve", "--workers", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables)
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.communicate()


def test_serve_says_where_answers_and_stops(tmp_path: Path) -> None:
    home, kept = tmp_path / "home", tmp_path / "kept"
    home.mkdir()
    store = {"ADVISOR_DATABASE_URL": f"sqlite:///{kept}/advisor.db", "ADVISOR_FILES_DIR": f"{kept}/files"}
    with serving(HOME=str(home), XDG_RUNTIME_DIR=str(home), **store) as (process, line):
        told = re.fullmatch(
            r"The advisor listens on (http://127\.0\.0\.1:\d+); its documentation is at \1/docs\. Ctrl-C stops it\.\n",
            line,
        )
        assert told, line
        with urllib.request.urlopen(f"{told[1]}/docs", timeout=10) as answer:
            assert answer.status == 200
        assert list(home.iterdir()) == []  # no control socket
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0


def test_serve_on_an_occupied_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = execute("serve", "--port", str(port))
    assert (done.returncode, done.stdout) == (ExitCode.UNUSABLE, b"")
    assert done.stderr.decode().startswith(
        f"advisor: Nothing can listen on 127.0.0.1 port {port}: Address already in use. PORT or"
    )


def test_serve_with_bad_data_does_not_start(data: Path) -> None:
    (data / "fees/us.toml").write_text('marketplace = "US"\n')
    done = execute("serve", PORT="0", ADVISOR_DATA_DIR=str(data))
    assert (done.returncode, done.stdout) == (ExitCode.UNUSABLE, b"")
    assert done.stderr.decode().startswith(f"advisor: The rule data {data} cannot be used.\n  fees/us.toml: ")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--host", "a..b"], "There is no address for the host a..b."),
        (["--port", "99999"], "99999 is not in the range"),
        (["--port", "http"], "'http' is no whole number from 0 to 65535"),
        (["--workers", "0"], "0 is not in the range"),
    ],
)
def test_serve_on_an_address_that_cannot_be(options: list[str], told: str) -> None:
    done = execute("serve", *options)
    assert (done.returncode, done.stdout) == (ExitCode.UNUSABLE, b"")
    assert told in done.stderr.decode()
