"""A contract as data: the shape of a folder under `contracts/` (msgspec structs, no Django, no I/O).

One folder is one contract: `contract.yaml`, `documents.yaml`, `clauses.yaml`, `obligations.yaml`, `open_items.yaml`,
`plan.yaml`; `folder.py` loads them and `check.py` says what is wrong with them. Numbers the contract states and
targets of our own are kept apart by `Basis`: a vague word (及时, 定期) never turns into a contract number.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from yunwei.contract.between import Between
from yunwei.contract.year_end import YearEnd
from yunwei.kernel.shapes import learn


class Basis(StrEnum):
    """Where a number comes from."""

    CONTRACT = "contract"  # it stands in the contract text
    STATUTE = "statute"  # it stands in a law
    PLAN = "plan"  # a service plan that 甲方 approved adds it
    PLATFORM = "platform"  # our own default, shown as 平台默认, scores nothing


class Owes(StrEnum):
    """Which party owes the obligation."""

    A = "A"  # 甲方
    B = "B"  # 乙方
    BOTH = "AB"


class Kind(StrEnum):
    """What an obligation owes, which decides what verdict settles it (law 1)."""

    LOOK = "look"  # looking: kept by coverage
    RESULT = "result"  # a result: kept only by pass
    RESPOND = "respond"  # an answer to an event within a time
    CONTINUOUS = "continuous"  # a state held without gaps (7×24, ≥ 1 engineer on site)
    DELIVER = "deliver"  # a document or list handed over
    CONSENT = "consent"  # nothing is done without the other side's consent before
    BAN = "ban"  # something is never done; a breach is recorded, no occurrence falls due
    PAY = "pay"  # money


class Unit(StrEnum):
    """Unit of a deadline."""

    WORKING_DAY = "working_day"
    CALENDAR_DAY = "calendar_day"
    HOUR = "hour"  # 7×24
    MINUTE = "minute"  # 7×24
    YEAR = "year"


class Party(msgspec.Struct, frozen=True, omit_defaults=True):
    role: str  # A | B
    name: str
    title: str = ""  # 采购人 …
    address: str = ""
    postcode: str = ""
    phone: str = ""
    fax: str = ""


class Signature(msgspec.Struct, frozen=True, omit_defaults=True):
    party: str
    date: date
    how: str = ""


class PeriodReading(msgspec.Struct, frozen=True, omit_defaults=True):
    """One way to read the service period; both days are inside it."""

    id: str
    start: date
    end: date
    reason: str
    recommended: bool = False
    confirmed: bool = False
    confirmed_by: str = ""  # document of rank 3.1


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that happens and starts clocks; recorded by page or command, with a file."""

    id: str  # code name: invoice_received
    title: str
    title_en: str
    by: str  # who may record it: A | B | AB
    clause: str = ""
    file: bool = True  # a file must come with it
    instalment: str = ""  # it carries an amount, which must equal this instalment's or it starts no clock


class Instalment(msgspec.Struct, frozen=True, omit_defaults=True):
    id: str
    clause: str
    share: Decimal  # per cent
    amount: Decimal
    capitals: str
    anchors: list[str]  # events; the clock starts at the latest of them
    days: int
    unit: Unit = Unit.WORKING_DAY


class Money(msgspec.Struct, frozen=True, omit_defaults=True):
    clause: str
    amount: Decimal
    capitals: str
    currency: str = "CNY"


class Way(msgspec.Struct, frozen=True, omit_defaults=True):
    """One way of delivering a document: it is served by one of `outcomes` (duties.notices.OUTCOMES), and by nothing else.

    `needs`: the function that must not be blocked by an open item, by the side that receives (no fax number, no fax).
    `basis` platform: our own, for what the contract lets people tell each other in any way.
    """

    id: str
    title: str
    title_en: str
    outcomes: list[str]
    basis: Basis = Basis.CONTRACT
    by_day: bool = False  # the contract names the day, not the hour
    at_once: bool = False  # told is served: a call
    needs: dict[str, str] = msgspec.field(default_factory=dict)


class NoticeKind(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one side tells the other. `starts`: the event that it is once it is served. `of`: the event that it tells of,
    which happened before; telling it performs the obligation `performs`."""

    id: str
    title: str
    title_en: str
    by: str  # A | B | AB
    clause: str
    written: bool = False  # only by a way that the contract names
    starts: str = ""
    of: str = ""
    performs: str = ""
    address: bool = False  # it moves the address where the sender is served


class Service(msgspec.Struct, frozen=True, omit_defaults=True):
    """How documents are served on the other party, and which the contract knows."""

    clause: str
    ways: list[Way]
    kinds: list[NoticeKind]


class BodyRole(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a third party may be commissioned with, under which obligation of prior consent."""

    id: str
    title: str
    title_en: str
    obligation: str


class Staffing(msgspec.Struct, frozen=True, omit_defaults=True):
    """The people of 乙方 and the third parties it brings in."""

    swap: str  # obligation: no swap without prior consent
    roll: str = ""  # obligation: the list of people that the client confirms
    rejected: str = ""  # event: the client finds somebody unfit
    onsite: str = ""  # obligation: somebody is always there; its slots are terms of the plan
    bodies: list[BodyRole] = msgspec.field(default_factory=list)
    warn_days: int = 60  # before a certificate ends; ours, no number of any contract


class Contract(msgspec.Struct, frozen=True, omit_defaults=True):
    """contract.yaml"""

    id: str  # folder name
    number: str
    title: str
    title_en: str
    parties: list[Party]
    signatures: list[Signature]
    price: Money
    periods: list[PeriodReading]
    instalments: list[Instalment]
    place: str = ""
    timezone: str = "Asia/Shanghai"
    statutes: list[str] = msgspec.field(default_factory=list)
    plan_clauses: list[str] = msgspec.field(default_factory=list)  # by which the plan is proposed and approved
    service: Service | None = None  # how documents are served; without it the platform serves none
    staffing: Staffing | None = None


class Document(msgspec.Struct, frozen=True, omit_defaults=True):
    """One contract document (documents.yaml); a lower `rank` wins, inside a rank the later date."""

    id: str
    rank: str  # "3.1" … the clause that gives the rank
    order: int  # 1 wins over 2
    title: str
    date: date | None = None
    present: bool = True
    clause: str = ""


class PrecedenceRule(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a conflict on one subject is decided; `rank` is the general rule."""

    id: str
    clause: str
    subject: str  # "*" = general; "assessment", "confidentiality", "standard", "requirement"
    rule: str  # rank | superior | strictest | fill_gap | floor
    text: str


class Figure(msgspec.Struct, frozen=True, omit_defaults=True):
    """A number that stands in a clause: the only ground on which `basis: contract` may be claimed.

    `unit` is a `Unit`, a cadence word of `Cadence.every`, or a plain unit (percent, person, 7x24). `n` = 0 with a
    unit of time means "at the event itself".
    """

    n: Decimal
    unit: str
    of: str = ""  # what it measures


class Remedy(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a clause lets one side demand when the other breaks something; no amount that the clause does not state.

    `kind`: set_off, damages, penalty, rework, sanction, terminate, joint (who answers beside the party itself).
    """

    kind: str
    against: str  # A | B
    obligations: list[str] = msgspec.field(default_factory=list)  # empty: everything that this side owes
    share: Decimal | None = None  # per cent of the contract's price, where the clause states it


class Clause(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row of clauses.yaml, in our own words."""

    id: str
    kinds: list[str]
    who: str  # "", A, B, AB
    gist: str  # Chinese, own words
    gist_en: str = ""
    evidence: str = ""
    capability: list[str] = msgspec.field(default_factory=list)
    vague: bool = False
    vague_words: list[str] = msgspec.field(default_factory=list)  # 及时, 尽快 … as the clause has them
    figures: list[Figure] = msgspec.field(default_factory=list)
    text_ids: list[str] = msgspec.field(default_factory=list)  # ids the reader gives it, where they differ from `id`
    same_as: str = ""  # another clause that says the same; the duty is counted once
    remedies: list[Remedy] = msgspec.field(default_factory=list)  # LIAB: what a breach costs
    exempts: str = ""  # EXEMPT: "performance" excuses an occurrence; "damage" is a ground on a damage claim only


class Deadline(msgspec.Struct, frozen=True, omit_defaults=True):
    n: int
    unit: Unit
    basis: Basis
    anchor: str = ""  # event it runs from; empty = start of the period


class Cadence(msgspec.Struct, frozen=True, omit_defaults=True):
    """How often something falls due. `every` is one of: day, working_day, week, month, quarter, year, once."""

    every: str
    basis: Basis
    due_time: str = "24:00"  # local time on the last day of the period when it is due
    weekday: int = 0  # for week: 1 = Monday … 7; 0 = end of the week
    day: int = 0  # for month/quarter/year: day of month; 0 = last
    offset_days: int = 0  # for once: days after the period's start


class Selector(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which assets of the baseline an obligation covers; empty lists mean "any"."""

    kinds: list[str] = msgspec.field(default_factory=list)  # device, host, vm, system
    zones: list[str] = msgspec.field(default_factory=list)
    places: list[str] = msgspec.field(default_factory=list)
    tags: list[str] = msgspec.field(default_factory=list)
    protocols: list[str] = msgspec.field(default_factory=list)


class Obligation(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row of obligations.yaml: who owes what, when, how it is done and what proves it."""

    id: str
    clauses: list[str]
    title: str
    title_en: str
    owes: Owes
    kind: Kind
    proof: list[str]
    trigger: str = ""  # event kind that starts an occurrence; empty = cadence or continuous
    cadence: Cadence | None = None  # only what the contract itself states; the plan's cadences live in plan.yaml
    deadline: Deadline | None = None
    procedure: str = ""  # dotted name under work/; empty = manual proof
    selector: Selector | None = None
    confirmed_by: str = ""  # of manual proof: A | B, the receiver, never a colleague; AB: who did not state it
    vague: str = ""  # the contract's vague word, if that is all it says
    written: bool = False  # consent or answer must be in writing
    permission: bool = False  # a ban that a prior permission lifts
    statute: str = ""  # the law and article, when a number has basis "statute"
    instalment: str = ""  # PAY: the clock starts at the latest of its anchors, `trigger` among them


class OpenItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """A blank, trap or question; it blocks exactly one function until a document closes it."""

    id: str
    clause: str
    title: str
    title_en: str
    owner: str  # A | B | AB
    blocks: str  # the one function it blocks, e.g. "payment.balance"
    why: str = ""
    default: str = ""  # what the platform does meanwhile
    closed_by: str = ""  # document id


class PlanLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the service plan says about one obligation."""

    obligation: str
    cadence: Cadence | None = None
    deadline: Deadline | None = None
    coverage_target: Decimal = Decimal(100)  # per cent of agreed assets not unproven
    terms: dict[str, Any] = msgspec.field(default_factory=dict)  # handed to the procedure as data
    note: str = ""


class Limit(msgspec.Struct, frozen=True, omit_defaults=True):
    """A limit for readings, most specific wins: component > device > place > general."""

    kind: str
    warn_high: float | None = None
    crit_high: float | None = None
    warn_low: float | None = None
    crit_low: float | None = None
    unit: str = ""
    place: str = ""
    device: str = ""
    component: str = ""
    basis: Basis = Basis.PLAN


class Agreed(msgspec.Struct, frozen=True, omit_defaults=True):
    """What selectors saw of an asset when the version was proposed.

    The register is 乙方's to edit; without this, relabelling an asset would take it out of an obligation, and dropping an
    endpoint would make half a look a whole one, with no version that 甲方 approved.
    """

    kind: str = ""
    zone: str = ""
    place: str = ""
    tags: list[str] = msgspec.field(default_factory=list)  # its category first
    protocols: list[str] = msgspec.field(default_factory=list)


class Plan(msgspec.Struct, frozen=True, omit_defaults=True):
    """plan.yaml: one version of the service plan; `assets` is the baseline coverage is counted against."""

    version: int
    title: str
    lines: list[PlanLine]
    limits: list[Limit] = msgspec.field(default_factory=list)
    assets: list[str] = msgspec.field(default_factory=list)  # asset codes; filled when a version is proposed
    agreed: dict[str, Agreed] = msgspec.field(default_factory=dict)  # by asset code; filled from the register then too
    note: str = ""


class RubricItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One item of the rubric: the obligations it judges, and what one occurrence of them costs, in points."""

    id: str
    title: str
    title_en: str
    weight: Decimal
    obligations: list[str]
    missed: Decimal
    unproven: Decimal
    late: Decimal = Decimal(0)


class Veto(msgspec.Struct, frozen=True, omit_defaults=True):
    """A breach that caps the month: it takes `cost` points, and the month is worth `cap` at most."""

    id: str
    title: str
    title_en: str
    event: str  # what 甲方 records when it is found
    cost: Decimal
    cap: Decimal
    clause: str = ""
    obligations: list[str] = msgspec.field(default_factory=list)  # empty: those of the clause


class RubricHeading(msgspec.Struct, frozen=True, omit_defaults=True):
    """What 甲方 may add by hand, with a ground: `most` points a time, negative for a bonus."""

    id: str
    title: str
    title_en: str
    most: Decimal


class PriceStep(msgspec.Struct, frozen=True, omit_defaults=True):
    """From this score on (the highest that fits): a share of the price, or the score over a number of points."""

    start: Decimal
    per_cent: Decimal | None = None
    over: Decimal | None = None


class Rubric(msgspec.Struct, frozen=True, omit_defaults=True):
    """rubric.yaml: how a month is scored and, once both signed it as a document of rank 3.1, what the year's score does
    to the price (5.1). `document` names that document; a rubric without one is a proposal and moves no price.

    `reported` and `found` are what one fault costs by how it came to light: by 乙方 itself, or by somebody else (law 4).
    """

    id: str
    version: int
    title: str
    title_en: str
    full: Decimal
    items: list[RubricItem]
    reported: Decimal
    found: Decimal
    forged: str  # the veto that stands for forged evidence
    vetoes: list[Veto]
    appeal: Deadline
    headings: list[RubricHeading] = msgspec.field(default_factory=list)
    price: list[PriceStep] = msgspec.field(default_factory=list)
    document: str = ""
    note: str = ""
    clauses: list[str] = msgspec.field(default_factory=list)  # of the contract: by which a month is scored


class Closing(msgspec.Struct, frozen=True, omit_defaults=True):
    """closings.yaml, written by this platform: an open item that both parties closed, by which document, with what answer.

    The answer belongs to what the item blocked: a reading of the service period, a price table, or a rubric.
    """

    item: str
    document: Document
    reading: str = ""
    price: list[PriceStep] = msgspec.field(default_factory=list)
    rubric: Rubric | None = None


class Supplement(msgspec.Struct, frozen=True, omit_defaults=True):
    """supplements.yaml, written by this platform: a document of the first rank that both signed (合同 3.1, 12).

    `added` is what it buys in addition, in yuan; `price` replaces the price table; `plan` is the version of the service
    plan that carries out what it changes there.
    """

    document: Document
    added: Decimal = Decimal(0)
    price: list[PriceStep] = msgspec.field(default_factory=list)
    plan: int = 0
    note: str = ""


class ApprovedPlan(msgspec.Struct, frozen=True):
    """A version that 甲方 approved; it counts from `counts_from` (a day in the contract's zone) until the next one."""

    version: int
    counts_from: date
    decided_at: datetime
    plan: Plan


class Folder(msgspec.Struct, frozen=True):
    """A whole contract folder, loaded."""

    contract: Contract
    documents: list[Document]
    rules: list[PrecedenceRule]
    clauses: list[Clause]
    obligations: list[Obligation]
    open_items: list[OpenItem]
    plan: Plan
    events: list[str]  # ids of the trigger events that people may record under this contract
    event_details: list[Event] = msgspec.field(default_factory=list)  # the same, with titles and who records them
    rubric: Rubric | None = None
    ranks: list[str] = msgspec.field(default_factory=list)  # clauses that give documents their rank, the first wins
    between: Between | None = None  # claims, force majeure, supplements, late payment, conflicts of rules
    supplements: list[Supplement] = msgspec.field(default_factory=list)
    year_end: YearEnd | None = None  # how acceptance and handover hang on the rest; without it there are none here


learn(Folder, ApprovedPlan)
