"""One transaction in the hands of its owner: look, decide, commit, then send."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush

from deployments.core.events import Begin, Event, NodeOffline, StopRequested, Tick
from deployments.core.plan import MASTER_NODE
from deployments.dispatch import Order
from deployments.services import finish, statuses
from deployments.services.carry_out import Carrier, Effects
from deployments.services.child import ChildRun, load_child
from deployments.services.clock import is_due, moment
from deployments.services.decisions import carry_out_decisions
from deployments.services.judge import Verdicts, heartbeats, judge, judge_started, refuse_unsendable, sort_out, take_back
from deployments.services.receive import receive
from deployments.services.silent_agents import SilentAgents
from deployments.services.stored import CantBeLoaded
from deployments.services.tools import Tools
from deployments.services.trust import Trust
from deployments.wire.broker import Entry
from history import queries as history
from history.models import Transaction
from history.recorder import Ledger, RowLocked, RunRow, say

MOST_REPORTS = 5000
"""Reports taken in one commit; if there are more, the next round follows at once."""
LARGEST_MESSAGE = 8_000_000
"""Bytes of one sealed message. Parameters of a run have 1 MB at most when they are planned; Redis takes 512."""


class OwnedTransaction:
    """Steps through a transaction until it is over or has to be planned further. One thread at a time.

    Any exception means that memory and database may differ: the object is thrown away and made anew.
    """

    def __init__(self, parent: Transaction, epoch: int, tools: Tools, *, careful: bool = False) -> None:
        """`careful` leaves the nodes' own words out of the record, after the database has refused them."""
        self.id, self.epoch = parent.id, epoch
        self._parent, self._tools, self._careful = parent, tools, careful
        self.needs_planning = False
        """The next graph's turn has come: a planner is to be asked once the transaction was given back."""
        self._child: ChildRun | None = None
        self._begun = False
        self._stop_told = False
        self._decisions = False
        """Whether people have decided something that is to be carried out."""
        self._next_look = 0.0
        self._wakes: list[float] = []
        self._trust = Trust(parent.id, epoch, tools)
        self._silent = SilentAgents(tools.patience.lease)
        self._paused = False
        self._door = ""
        """Why the door is to be closed as soon as the broker can be believed."""
        self._pending: list[Event] = []
        self._resend: list[RunRow] = []
        self._log_end = datetime.min.replace(tzinfo=UTC)
        """The time of the log's last event: what is written next is no earlier, whatever a clock says."""
        self._unsendable: list[tuple[RunRow, str]] = []
        """Dispatched runs whose message can't be sent, and why."""
        self._told = ""
        """What people were told of this transaction, if anything keeps it from going on."""
        self._unread = False
        """Reports wait behind those that were taken last, perhaps the outcomes of attempts that seem silent."""

    @property
    def running(self) -> list[RunRow]:
        """Rows with an undone attempt."""
        return list(self._child.undone.values()) if self._child else []

    def step(self) -> bool:
        """One round; False when there is nothing (more) for an orchestrator to do."""
        tools = self._tools
        now = tools.broker.now()
        look = is_due(self._next_look, now, tools.patience.look)
        if self._child is None and not self._open():
            return False
        assert self._child is not None  # noqa: S101 - for the type checker
        if look:
            self._next_look = now + tools.patience.look
            stop, self._decisions = history.asked(self.id)
            if stop and self._parent.stop_requested_at is None:
                self._parent.refresh_from_db(fields=["stop_requested_at"])
            self._look_at_broker(self._child, now)
        if not self._begun and not self._ready_to_begin(now):
            return True
        return self._round(self._child, now, look)

    def wait_seconds(self) -> float:
        """How long nothing is due, if no message comes."""
        due = min([self._next_look, *self._wakes])
        return max(0.0, min(due - self._tools.broker.now(), self._tools.patience.look))

    def pause(self) -> None:
        """Dispatch nothing new, because this process is about to leave."""
        self._paused = True
        if self._child:
            self._child.scheduler.held = True

    def _open(self) -> bool:
        self._log_end = max(self._log_end, history.end_of_log(self.id))
        child = history.current_child(self.id)
        if child is not None and child.recorded_at is None and self._parent.stop_requested_at is not None:
            finish.stop_unplanned(self._parent, child, self._ledger())
            self._tools.broker.end(self.id)
            return False
        if child is None or child.recorded_at is None:
            return False
        try:
            self._child = load_child(child, stopping=False)
        except CantBeLoaded as error:
            if self._parent.stop_requested_at is None or history.under_way(child.id):
                raise
            finish.stop_unreadable(self._parent, child, str(error), self._ledger())
            self._tools.broker.end(self.id)
            return False
        self._recorded_at = child.recorded_at
        names = self._child.wire_nodes
        for name, beat in heartbeats(self._child, self._tools, names).items():
            self._child.saw_number(name, beat.number)
        if self._parent.status == "pending" or child.status == "pending":
            finish.start(self._parent, child, self._ledger())
        return True

    def _ledger(self, at: float | None = None) -> Ledger:
        # Reports carry milliseconds; a finer time of ours could lie after the start of what it let go.
        seconds = at if at is not None else self._tools.broker.now()
        # Broker, planner and agents have clocks of their own, and any of them may be set back.
        self._log_end = max(self._log_end, moment(int(seconds * 1000) / 1000))
        return Ledger(self.id, self.epoch, self._tools.owner, self._log_end)

    def _look_at_broker(self, child: ChildRun, now: float) -> None:
        """Vouch where that may be done; while the broker can't be believed nothing new is dispatched."""
        self._trust.look(child, now)
        if self._trust.state == "open":
            self._trust.vouch(self._parent, child, now)
            self._resend = [row for row in child.undone.values() if row.attempt_status == "dispatched"]
        held = self._paused or self._trust.state != "sure"
        if child.scheduler.held and not held:
            heappush(self._wakes, now)
        child.scheduler.held = held

    def _ready_to_begin(self, now: float) -> bool:
        """Wait for the nodes' first heartbeats, but not for ever; then tell the scheduler who is missing."""
        child = self._child
        assert child is not None  # noqa: S101 - for the type checker
        missing: set[str] = set()
        if not child.dry_run and not child.has_begun and self._parent.stop_requested_at is None:
            alive = heartbeats(child, self._tools, child.wire_nodes)
            for name, beat in alive.items():
                child.saw_number(name, beat.number)
            missing = {name for name in child.wire_nodes if name not in alive}
            patience = timedelta(seconds=self._tools.patience.first_heartbeat)
            if missing and moment(now) < self._recorded_at + patience:
                return False
        self._begun = True
        master = f"master-{child.cluster_id}"
        self._pending = [Begin(tuple(sorted("master" if name == master else name for name in missing)))]
        return True

    def _round(self, child: ChildRun, now: float, look: bool) -> bool:
        tools = self._tools
        if child.dry_run:
            finish.end(self._parent, child, "ready", "", self._ledger(now))
            return self._after_finish()
        if look and self._decisions and self._decided(child):
            return True
        verdicts, entries, ledger, events, now = self._hear(child, now, look)
        # First: in one commit a node may begin and end.
        self._note_began(child, ledger)
        carrier = Carrier(child, ledger)
        effects = self._decide(child, events, carrier, ledger, now) if events else Effects()
        self._door = effects.drain or self._door
        if self._door and effects.finish is not None:
            ledger.note("transaction", "draining", reason=self._door)
        taken = bool(entries or verdicts.over)
        self._commit(child, effects, ledger, proof=taken)
        if self._trust.state == "asking" and not self._unread:
            self._trust.vouch(self._parent, child, now)
        self._tell(verdicts)
        self._send(child, effects, verdicts.resend)
        if taken:
            tools.broker.forget(self.id, [entry.id for entry in entries], verdicts.over)
        if effects.finish is None and self._door and self._trust.state == "sure":
            effects = self._close_the_door(child, now)
        return self._after_finish() if effects.finish is not None else True

    def _decide(self, child: ChildRun, events: list[Event], carrier: Carrier, ledger: Ledger, now: float) -> Effects:
        """In the log a node is gone after what its lost attempt lets go (a failure that is allowed), and before what that blocks."""
        gone = [event for event in events if isinstance(event, NodeOffline) or isinstance(event, Begin) and event.offline]
        others = [event for event in events if event not in gone]
        if gone and others:
            held, child.scheduler.held = child.scheduler.held, True
            carrier.carry_out(child.scheduler.handle(*others, now=now))
            child.scheduler.held = held
        self._note_offline(child, gone, ledger)
        return carrier.carry_out(child.scheduler.handle(*(gone or others), now=now))

    def _hear(self, child: ChildRun, now: float, look: bool) -> tuple[Verdicts, list[Entry], Ledger, list[Event], float]:
        """What has happened since: reports, verdicts about the silent, requests, time; and up to when."""
        tools, trust = self._tools, self._trust
        judging = look and trust.state != "blind" and now >= trust.judge_after
        silent = self._look_for_silence(child, now) if look else {}
        entries = tools.broker.drain(self.id, MOST_REPORTS)
        self._unread = len(entries) == MOST_REPORTS
        if self._unread:
            self._next_look = now
        # A report may be younger than this look; what it starts (a pause before the next try) counts from then.
        now = self._latest(entries, now)
        ledger = self._ledger(now)
        events, over = receive(child, entries, tools.keys, ledger, bare=self._careful)
        verdicts = Verdicts()
        if judging and trust.state == "sure" and not self._unread:
            verdicts = judge(child, silent, tools, ledger, moment(now))
        if look and trust.state == "asking" and not self._unread:
            verdicts = judge_started(child, silent, tools, ledger, moment(now))
            sort_out(child, trust.beats_before, tools, ledger, verdicts)
        if verdicts:
            trust.check()
        child.refusals.tell(ledger)
        verdicts.over += over
        verdicts.resend += self._resend
        self._resend = []
        events += self._own_events(child, ledger, now) + verdicts.events
        return verdicts, entries, ledger, events, now

    def _latest(self, entries: list[Entry], now: float) -> float:
        """Reports may be younger than this look; but their times are ids that anybody may choose who can write to Redis."""
        last = entries[-1].time if entries else now
        return max(now, last if last <= now + 1.0 else min(last, self._tools.broker.now()))

    def _commit(self, child: ChildRun, effects: Effects, ledger: Ledger, *, proof: bool = False) -> None:
        """`proof`: even if there is nothing to write, as what was taken in is about to be deleted. To an owner that is none any more the
        reports of its successor's attempts say nothing."""
        if effects.finish is not None:
            finish.end(self._parent, child, effects.finish.status, effects.finish.reason, ledger)
        elif ledger or proof:
            self._note_progress(child, ledger)
            ledger.write()
        for due in effects.wakes:
            heappush(self._wakes, due)

    def _decided(self, child: ChildRun) -> bool:
        """Carry out what people decided; a scheduler can't take back a failure, so it is made anew from the record."""
        ledger = self._ledger()
        changed = carry_out_decisions(child, history.open_decisions(self.id), ledger)
        ledger.write()
        if changed:
            self._child, self._begun = None, False
        return changed

    def _close_the_door(self, child: ChildRun, now: float) -> Effects:
        """Nothing may be claimed any more; take back what was not. The log names every claim that came before the flag.

        The decision to drain is committed already: a flag that was set before could outlive an owner whose commit failed.
        """
        broker = self._tools.broker
        broker.set_stop(self.id)
        ledger = self._ledger()
        ledger.note("transaction", "draining", reason=self._door)
        waiting = [row for row in child.undone.values() if row.attempt_status == "dispatched"]
        keys = [child.key(row) for row in waiting]
        events: list[Event] = []
        for row, answer in zip(waiting, broker.recall(keys), strict=True):
            if answer == "claimed":
                ledger.note("attempt", "claimed", old="dispatched", reason="Before the stop flag was set.", row=row)
            else:
                events.append(take_back(child, row, "The transaction is being stopped.", ledger))
        self._trust.check()
        effects = Carrier(child, ledger).carry_out(child.scheduler.handle(*events, now=now))
        self._commit(child, effects, ledger)
        self._door = ""
        over = [key for key, row in zip(keys, waiting, strict=True) if not row.undone]
        if over:
            broker.forget(self.id, [], over)
        return effects

    def _own_events(self, child: ChildRun, ledger: Ledger, now: float) -> list[Event]:
        events, self._pending = self._pending, []
        if self._parent.stop_requested_at is not None and not self._stop_told:
            self._stop_told = True
            stop = history.open_stop(self.id)
            asked = f"{stop.actor} asked for a stop" + (f": {stop.reason}" if stop.reason else "") if stop else ""
            ledger.note("transaction", "stop requested", reason=asked)
            events.append(StopRequested())
        for row, reason in self._unsendable:
            events += refuse_unsendable(child, row, reason, self._tools, ledger)
        self._unsendable = []
        if self._wakes and self._wakes[0] <= now:
            while self._wakes and self._wakes[0] <= now:
                heappop(self._wakes)
            events.append(Tick())
        return events

    def _look_for_silence(self, child: ChildRun, now: float) -> dict[tuple[int, int], bool]:
        """Also while nobody is judged: who has said nothing all the while need not be waited for again."""
        started = [row for row in child.undone.values() if row.attempt_status == "started"]
        answers = self._tools.broker.leased([child.key(row) for row in started]) if started else []
        return self._silent.look(dict(zip(((row.position, row.number) for row in started), answers, strict=True)), now)

    def _note_offline(self, child: ChildRun, events: list[Event], ledger: Ledger) -> None:
        """Remember who was offline: a scheduler made anew has to be told."""
        found = {node for event in events if isinstance(event, Begin) for node in event.offline}
        found |= {event.node for event in events if isinstance(event, NodeOffline)}
        found = set(child.scheduler.not_over(found))
        if found:
            child.found["offline"] = sorted(found | set(child.found.get("offline", ())))
            ledger.change_transaction(child.id, result=dict(child.found))
            for node in sorted(found):
                ledger.note("node", "offline", node=node, reason="Its agent does not answer.")

    def _note_began(self, child: ChildRun, ledger: Ledger) -> None:
        began = {row.node for row in child.undone.values() if row.attempt_status == "started"} - child.touched
        began |= {row.node for row in ledger.changed() if row.attempts and row.time_start} - child.touched
        if not began:
            return
        first = not child.touched - {MASTER_NODE}
        child.touched |= began
        if child.mode != "real" or began == {MASTER_NODE}:
            return
        child.found["before"] = {**statuses.states_of(began), **child.found.get("before", {})}
        ledger.change_transaction(child.id, result=dict(child.found))
        ledger.also(lambda: statuses.nodes_began(began, child.graph_type))
        if first:
            ledger.also(lambda: statuses.cluster_began(child.cluster_id))

    def _note_progress(self, child: ChildRun, ledger: Ledger) -> None:
        progress = 100 * child.ended // max(1, len(child.rows))
        if progress != child.progress:
            child.progress = progress
            ledger.change_transaction(child.id, progress=progress)
            ledger.change_transaction(self.id, progress=(child.others_progress + progress) // child.siblings)

    def _tell(self, verdicts: Verdicts) -> None:
        """Where people look (pages, `why`, /health): which nodes have no room to start anything, for as long as they have none."""
        sentence = verdicts.standing()
        if verdicts.no_room is None or sentence == self._told:
            return
        # Who reads it can wait: if the row is locked just now, the next look tries again.
        with suppress(RowLocked):
            say(self.id, self.epoch, sentence)
            self._told = sentence

    def _send(self, child: ChildRun, effects: Effects, resend: list[RunRow]) -> None:
        """After the commit: permits first, then messages, so that no message comes before its permit."""
        tools = self._tools
        rows = [row for row in [*effects.dispatched, *resend] if row.attempt_status == "dispatched"]
        if not rows or child.scheduler.draining:
            return
        sealed = [(row, self._order(child, row)) for row in rows]
        self._unsendable += [(row, order) for row, order in sealed if isinstance(order, str)]
        if self._unsendable:
            self._next_look = 0.0
        orders = [order for _, order in sealed if isinstance(order, Order)]
        allowed = tools.broker.permit(self.epoch, [order.key for order in orders])
        tools.dispatcher.send_orders([order for order, may in zip(orders, allowed, strict=True) if may])

    def _order(self, child: ChildRun, row: RunRow) -> Order | str:
        """The attempt's message, or why there can be none. Made before the permit: what can't be sent must not be allowed."""
        key, work = child.key(row), child.work(row, self._tools.patience.lease)
        try:
            sealed = self._tools.keys.seal_work(key, work)
        except (TypeError, ValueError, OverflowError) as error:
            return f"Its message can't be written: {error}."
        if len(sealed) > LARGEST_MESSAGE:
            return f"Its message has {len(sealed):,} bytes; {LARGEST_MESSAGE:,} can be sent. Give it smaller parameters."
        return Order(key, sealed, work.task)

    def _after_finish(self) -> bool:
        """Go on with the next child, if there is one and it needs no planning."""
        self._child, self._begun = None, False
        self._parent.refresh_from_db()
        if self._parent.status not in ("pending", "running"):
            self._tools.broker.end(self.id)
            return False
        self.needs_planning = True
        return False
