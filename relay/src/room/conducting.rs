//! What the room does for those who run it: the lock, commands to clients, and who watches.
//!
//! Pure: the caller passes the time.

use downbeat_protocol::{
    By, ClientId, Command, CommandNow, CommandRequest, ErrorCode, LockChange, LockRequest,
    Outcomes, Refusal, RelayTime, RelayToClient, Rights, Shape, TONE, Target, Tone, Trigger,
    TriggerRequest, WatchRequest, When,
};

use super::{
    effects::Effects,
    refuse::{invalid, refusal},
    state::Room,
    watching::News,
};
use crate::{
    store::{AckTo, Write},
    websocket::client::Wire,
};

/// The ticks of a machine that a person looks for: four within the two seconds for which it flashes. Their
/// frequency is easy to locate by ear, and that of no variable.
const TICK: Tone = Tone { frequency: Some(1000.0), duration_micros: 40_000, shape: Shape::Square };
const TICKS: u64 = 4;
const TICK_INTERVAL_MICROS: u64 = 500_000;

impl Room {
    /// Whether a client may do everything.
    pub(super) fn is_conductor(&self, id: ClientId) -> bool {
        self.members.get(&id).is_some_and(|member| member.rights() == Rights::Conductor)
    }

    /// What a client may do by its token alone.
    pub(super) fn token_rights_of(&self, id: ClientId) -> Rights {
        self.members.get(&id).map_or(Rights::Listener, |member| member.token_rights)
    }

    /// Locks the room, or unlocks it.
    pub(super) fn lock(&mut self, request: LockRequest, by: By, effects: &mut Effects) {
        let LockRequest { locked, ack } = request;
        effects.acks.extend(ack.map(|ack| AckTo { client: by.id, ack }));
        if self.locked != locked {
            self.locked = locked;
            effects.writes.push(Write::Lock { locked });
            effects.lock = Some(LockChange { locked, by });
        }
    }

    /// Lets clients do something. Returns triggers to broadcast, by which they tick.
    ///
    /// # Errors
    /// If the relay does not know the command, or none of the clients is connected.
    pub(super) fn command(
        &mut self,
        request: CommandRequest,
        by: &By,
        now: RelayTime,
        effects: &mut Effects,
    ) -> Result<Vec<Trigger>, Refusal> {
        request.validate().map_err(invalid)?;
        let CommandRequest { mut clients, command, ack } = request;
        if command == Command::Other {
            return Err(refusal(ErrorCode::InvalidValue, "the relay does not know this command"));
        }
        clients.sort_unstable();
        clients.dedup();
        let is_here =
            |id: &ClientId| self.members.get(id).is_some_and(|member| member.wire() == Wire::V1);
        clients.retain(is_here);
        if clients.is_empty() {
            return Err(refusal(ErrorCode::NoTarget, "none of these clients is connected"));
        }
        for id in &clients {
            let command = CommandNow { command, by: by.clone() };
            effects.first.push((*id, RelayToClient::Command(command)));
        }
        effects.acks.extend(ack.map(|ack| AckTo { client: by.id, ack }));
        if command != Command::Identify {
            return Ok(Vec::new());
        }
        let tick = |index| {
            let when = match index {
                0 => When::Together,
                later => When::AfterMicros(later * TICK_INTERVAL_MICROS),
            };
            let request = TriggerRequest { tone: Some(TICK), when, ..TriggerRequest::default() };
            let target = Target { clients: clients.clone(), ..Target::default() };
            self.trigger(request, Some(target), TONE, Some(TICK.duration_micros), by.clone(), now)
        };
        Ok((0..TICKS).map(tick).collect())
    }

    /// Lets a client watch, or no longer; whether it begins to.
    ///
    /// # Errors
    /// If too many watch.
    pub(super) fn watch(&mut self, request: WatchRequest, by: ClientId) -> Result<bool, Refusal> {
        if request.room {
            return self.watching.start(by);
        }
        self.watching.stop(by);
        Ok(false)
    }

    /// Records what a client did about triggers.
    ///
    /// # Errors
    /// If there are too many.
    pub(super) fn outcomes(&mut self, outcomes: &Outcomes, by: ClientId) -> Result<(), Refusal> {
        outcomes.validate().map_err(invalid)?;
        self.watching.answer(by, &outcomes.outcomes);
        Ok(())
    }

    /// Begins the receipt of a trigger, if somebody watches.
    pub(super) fn expect(&mut self, trigger: &Trigger, now: RelayTime) {
        self.watching.expect(trigger, &self.members, now);
    }

    /// What to tell those who watch.
    pub(super) fn news(
        &mut self,
        now: RelayTime,
        is_ready: impl Fn(ClientId) -> bool,
    ) -> Vec<News> {
        self.watching.news(now, &self.members, &self.machines, is_ready)
    }
}
