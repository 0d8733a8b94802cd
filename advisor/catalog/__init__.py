"""Load the rule data into domain objects, and refuse a bad file by file, key, what was found and what is allowed.

A file is read when it is first asked for and then kept: the server asks for all of them before it takes a request, a
command only for what it needs.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property, partial
from pathlib import Path

from advisor.catalog.fees import read_schedule
from advisor.catalog.listing import read_listing
from advisor.catalog.pre_sale import read_pre_sale
from advisor.catalog.programs import (
    Process,
    read_cited_share,
    read_process,
    read_program,
    read_sources,
    read_vocabulary,
)
from advisor.catalog.red_lines import read_red_lines
from advisor.catalog.tables import open_file
from advisor.domain.advice import CitedShare
from advisor.domain.fees import FeeSchedule
from advisor.domain.listing import ListingRules, Published
from advisor.domain.pre_sale import PreSaleRules
from advisor.domain.program import DEFAULT_PROGRAM, MARKETPLACES, Program, Vocabulary
from advisor.domain.red_lines import RedLines
from advisor.domain.sources import Dated, Source
from advisor.errors import DataError, DataProblem, UnknownName


@dataclass(frozen=True, slots=True)
class Confirmation:
    """When a number that is in force was last confirmed by somebody."""

    file: str
    place: str
    day: date


def default_data_dir() -> Path:
    """Find the data: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "data"
    return installed if installed.is_dir() else package.parent / "data"


class Catalog:
    """The rule data of one directory."""

    def __init__(self, data_dir: Path | None = None) -> None:
        self.data_dir = data_dir or default_data_dir()
        self._programs: dict[str, Program] = {}
        self._schedules: dict[str, FeeSchedule] = {}

    @cached_property
    def digest(self) -> str:
        """A hash over all rule files: what was judged by the same rules has the same."""
        whole = hashlib.sha256()
        for path in sorted(self.data_dir.rglob("*.toml")):
            content = path.read_bytes()
            whole.update(f"{path.relative_to(self.data_dir).as_posix()} {len(content)}\n".encode() + content)
        return f"sha256:{whole.hexdigest()}"

    @cached_property
    def sources(self) -> dict[str, Source]:
        """Every source by its key."""
        found: dict[str, Source] = {}
        for path in sorted((self.data_dir / "sources").glob("*.toml")):
            name = f"sources/{path.name}"
            for key, source in read_sources(open_file(path, name)).items():
                if key in found:
                    raise DataError([DataProblem(name, key, "another file of data/sources has this key already")])
                found[key] = source
        return found

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Every metric and fact."""
        return read_vocabulary(open_file(self.data_dir / "metrics.toml", "metrics.toml"), self.sources)

    @cached_property
    def process(self) -> Process:
        """The stages of the business process and their remedies."""
        top = open_file(self.data_dir / "stages.toml", "stages.toml")
        return read_process(top, self.vocabulary, self.sources, self.program_ids)

    @cached_property
    def cited_share(self) -> CitedShare:
        """The published share of sales that is B2B."""
        return read_cited_share(open_file(self.data_dir / "b2b_share.toml", "b2b_share.toml"), self.sources)

    @cached_property
    def pre_sale(self) -> PreSaleRules:
        """What is published about pre-orders and back-orders."""
        file = "policies/pre-sale.toml"
        return read_pre_sale(open_file(self.data_dir / file, file), self.vocabulary, self.sources)

    @cached_property
    def listing(self) -> ListingRules:
        """What is published about product listings."""
        file = "policies/listing.toml"
        return read_listing(open_file(self.data_dir / file, file), self.sources)

    @cached_property
    def red_lines(self) -> RedLines:
        """What may not be written and done, by marketplace."""
        file = "policies/red-lines.toml"
        return read_red_lines(open_file(self.data_dir / file, file), self.sources)

    @cached_property
    def program_ids(self) -> list[str]:
        """Every program's id; the one that is meant where none is named comes first."""
        found = sorted(path.stem for path in (self.data_dir / "programs").glob("*.toml"))
        return sorted(found, key=lambda name: name != DEFAULT_PROGRAM)

    def program(self, name: str) -> Program:
        """Load a program; raises UnknownName."""
        if name not in self._programs:
            if name not in self.program_ids:
                raise UnknownName("program", name, self.program_ids)
            file = f"programs/{name}.toml"
            self._programs[name] = read_program(
                open_file(self.data_dir / file, file), name, self.vocabulary, self.sources
            )
        return self._programs[name]

    def schedule(self, marketplace: str) -> FeeSchedule:
        """Load a marketplace's fee schedule; raises UnknownName."""
        if marketplace not in self._schedules:
            if marketplace not in MARKETPLACES:
                raise UnknownName("marketplace", marketplace, list(MARKETPLACES))
            name = marketplace.lower()
            file = f"fees/{name}.toml"
            self._schedules[marketplace] = read_schedule(open_file(self.data_dir / file, file), name, self.sources)
        return self._schedules[marketplace]

    def load_all(self) -> None:
        """Load every file; raises DataError with the mistakes of all of them."""
        readers: list[Callable[[], object]] = [
            lambda: self.digest,
            lambda: self.vocabulary,
            lambda: self.process,
            lambda: self.cited_share,
            lambda: self.pre_sale,
            lambda: self.listing,
            lambda: self.red_lines,
            *(partial(self.program, name) for name in self.program_ids),
            *(partial(self.schedule, place) for place in MARKETPLACES),
            self._check_media,
        ]
        problems: dict[DataProblem, None] = {}
        for read in readers:
            try:
                read()
            except DataError as error:
                problems |= dict.fromkeys(error.problems)
        if problems:
            raise DataError(list(problems))

    def _check_media(self) -> None:
        """Raise DataError for fee categories of media that the fee schedule of their marketplace does not have."""
        unknown = [
            DataProblem("policies/pre-sale.toml", "media", f"found {category!r}, which is no fee category in {place}")
            for place, category in self.pre_sale.media
            if category not in self.schedule(place).categories
        ]
        if unknown:
            raise DataError(unknown)

    def confirmations(self) -> Iterator[Confirmation]:
        """Say of every number in force when it was last confirmed: read in a source, or seen in force."""
        for name in self.program_ids:
            for criterion in self.program(name).criteria:
                for threshold in criterion.thresholds:
                    if threshold.validity.end is None:
                        place = f"{criterion.id} in {', '.join(sorted(threshold.marketplaces))}"
                        yield Confirmation(f"programs/{name}.toml", place, _last_read(threshold.bar.sources))
            for scale in self.program(name).scales:
                if scale.validity.end is None:
                    places = ", ".join(sorted(scale.marketplaces))
                    for band in scale.bands:
                        place = f"{scale.fact.key} {band.key} in {places}"
                        yield Confirmation(f"programs/{name}.toml", place, _last_read(band.sources))
        for line in self.red_lines.rules:
            for part in line.blocks:
                if part.validity.end is None:
                    place = f"rule {line.id} in {', '.join(sorted(part.marketplaces))}"
                    yield Confirmation("policies/red-lines.toml", place, _last_read(part.bar.sources))
        for rule in self.pre_sale.rules:
            for held in rule.blocks:
                if held.validity.end is None:
                    place = f"{rule.id} in {', '.join(sorted(held.marketplaces))}"
                    yield Confirmation("policies/pre-sale.toml", place, _last_read(held.sources))
        for element in self.listing.elements:
            published: list[tuple[str, Published]] = [
                *((limit.measure, limit) for limit in element.limits),
                *((requirement.kind, requirement) for requirement in element.requirements),
            ]
            for what, one in published:
                if one.validity.end is None:
                    place = f"{element.key}, {what} in {', '.join(sorted(one.marketplaces))}"
                    yield Confirmation("policies/listing.toml", place, _last_read(one.sources))
        for marketplace in MARKETPLACES:
            schedule, file = self.schedule(marketplace), f"fees/{marketplace.lower()}.toml"
            for category in schedule.categories.values():
                for version in category.versions:
                    if version.validity.end is None:
                        yield Confirmation(file, f"category {category.key}", version.verified_on)
            blocks: list[tuple[str, Dated, tuple[Source, ...]]] = [
                *((f"plan {one.selling_plan}", one, one.sources) for one in schedule.plans),
                *(("refund_administration", one, one.sources) for one in schedule.refund_administration),
                *(("digital_services", one, one.sources) for one in schedule.digital_services),
                *(("business_orders", one, one.sources) for one in schedule.business_orders),
                *(("closing_fee_table", one, one.sources) for one in schedule.closing_fee_tables),
            ]
            for place, block, cited in blocks:
                if block.validity.end is None:
                    yield Confirmation(file, place, _last_read(cited))


def _last_read(sources: tuple[Source, ...]) -> date:
    return max(source.read_on for source in sources)
