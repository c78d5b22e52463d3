//! Triggers and stops: from a request to the lanes of both wires.

use bytes::Bytes;
use downbeat_protocol::{
    By, ClientId, ErrorCode, Refusal, RelayToClient, StopRequest, TONE, Target, Tone, Trigger,
    TriggerRequest, When, encode,
};

use super::{
    Hub,
    sounds::total_gain,
    turn::{QueuePlaces, Turn},
};
use crate::{
    bank::Sound,
    broadcast::{lane::Command, scheduled::Cue},
    room::{
        refuse::{invalid, refusal},
        state::Room,
    },
    websocket::{client::Wire, frame},
};

/// The frame that makes a client of the tutorial wire play: the text `trigger-output`.
pub(super) const TUTORIAL_TRIGGER: Bytes = Bytes::from_static(b"\x81\x0etrigger-output");

/// What a trigger plays.
enum Source<'a> {
    /// The built-in tone, which the bank does not contain.
    Tone(Tone),
    Bank(&'a Sound),
}

impl Hub {
    /// Broadcasts a trigger from a client of `downbeat.v1`; returns the size of the frame.
    ///
    /// # Errors
    /// If a value is out of range, the bank has no such sound, or no player is in the target of one.
    pub(crate) fn trigger(
        &self,
        turn: Turn<'_>,
        by: By,
        mut request: TriggerRequest,
    ) -> Result<usize, Refusal> {
        request.validate().map_err(invalid)?;
        let Some(places) = turn.both() else { return Ok(0) };
        let mut room = self.room();
        let bank = self.bank();
        let name = request.sound.as_deref().unwrap_or(bank.default_name());
        let sound = if name == TONE {
            Source::Tone(request.tone.take().unwrap_or_default())
        } else {
            Source::Bank(bank.get(name).ok_or_else(|| unknown_sound(name))?)
        };
        let is_staggered = request.stagger_micros > 0;
        let target = room.resolve_target(request.target.take(), is_staggered, by.id)?;
        // A client of the tutorial wire has no name, no tags, and no place in an order.
        let is_for_tutorial = !is_staggered && target.as_ref().is_none_or(Target::is_unlisted);
        let for_tutorial = is_for_tutorial.then_some(request.when);
        let trigger = self.schedule(&mut room, request, target, &sound, by);
        room.expect(&trigger, self.clock.now());
        let bytes = self.broadcast(places, &mut room, for_tutorial, Some(trigger));
        self.counters.triggers.increment();
        Ok(bytes)
    }

    /// Broadcasts a trigger from a client of the tutorial wire, which plays it whatever the bank holds.
    /// Returns the size of the frame for `downbeat.v1`.
    ///
    /// # Errors
    /// If the client may not bang at this time.
    pub(crate) async fn trigger_from_tutorial(&self, id: ClientId) -> Result<usize, Refusal> {
        let Some(places) = self.turn_in_both().await.both() else { return Ok(0) };
        let mut room = self.room();
        let by = room.authorize_tutorial(id)?;
        let bank = self.bank();
        let trigger = bank
            .get(bank.default_name())
            .map(Source::Bank)
            .map(|sound| self.schedule(&mut room, TriggerRequest::default(), None, &sound, by));
        if let Some(trigger) = &trigger {
            room.expect(trigger, self.clock.now());
        }
        let bytes = self.broadcast(places, &mut room, Some(When::Together), trigger);
        self.counters.triggers.increment();
        Ok(bytes)
    }

    /// Numbers a trigger and assigns its instant.
    fn schedule(
        &self,
        room: &mut Room,
        mut request: TriggerRequest,
        target: Option<Target>,
        sound: &Source<'_>,
        by: By,
    ) -> Trigger {
        let (name, micros) = match sound {
            Source::Tone(tone) => {
                request.tone = Some(*tone);
                (TONE, Some(tone.duration_micros))
            }
            Source::Bank(Sound { info, .. }) => {
                request.gain = total_gain(request.gain, info.gain_db);
                let micros = info.duration_micros(request.rate);
                (info.name.as_str(), info.looped.is_none().then_some(micros))
            }
        };
        let trigger = room.trigger(request, target, name, micros, by, self.clock.now());
        tracing::debug!(seq = trigger.seq, sound = trigger.sound, by = trigger.by.id.0, "trigger");
        trigger
    }

    /// Passes a trigger to the lanes whose wire has a client: to wake a lane for nobody would cost a small
    /// room more than the rest. `for_tutorial` is when clients of the tutorial wire play, if they do. Returns the
    /// size of the frame for `downbeat.v1`.
    fn broadcast(
        &self,
        places: QueuePlaces<'_>,
        room: &mut Room,
        for_tutorial: Option<When>,
        trigger: Option<Trigger>,
    ) -> usize {
        // Clients that play on arrival are sent to when the others play, if there are others or it is later.
        let waits = match for_tutorial {
            Some(When::Together) => room.has_players(),
            Some(When::AfterMicros(_)) => true,
            Some(When::Now) | None => false,
        };
        let cue = trigger.as_ref().filter(|_| waits).map(|trigger| Cue {
            at: trigger.play_at,
            seq: trigger.seq,
            sound: trigger.sound.as_str().into(),
        });
        let mut bytes = 0;
        if let Some(trigger) = trigger
            && room.has(Wire::V1)
        {
            let frame = frame::text(&encode(&RelayToClient::Trigger(trigger)));
            bytes = frame.len();
            places.v1.send(Command::Broadcast(frame));
        }
        match cue {
            _ if for_tutorial.is_none() => {}
            Some(cue) if room.has(Wire::Tutorial) => {
                places.tutorial.send(Command::BroadcastAt(cue, TUTORIAL_TRIGGER));
            }
            Some(cue) => room.unscheduled.add(cue, self.clock.now()),
            None if room.has(Wire::Tutorial) => {
                places.tutorial.send(Command::Broadcast(TUTORIAL_TRIGGER));
            }
            None => {}
        }
        bytes
    }

    /// Broadcasts a stop, and cancels what it ends before it begins.
    ///
    /// # Errors
    /// If no sound of that name is in the bank or sounding.
    pub(crate) fn stop(&self, turn: Turn<'_>, by: By, request: StopRequest) -> Result<(), Refusal> {
        let Some(places) = turn.both() else { return Ok(()) };
        let mut room = self.room();
        let now = self.clock.now();
        if let Some(name) = &request.sound
            && name != TONE
            && self.bank().get(name).is_none()
            // It may have been removed from the bank while it sounds.
            && !room.is_sounding(name, now)
        {
            return Err(unknown_sound(name));
        }
        let stop = room.stop(request, by, now);
        // Its clients may have left, and others come before what is scheduled.
        places.tutorial.send(Command::Cancel(stop.clone()));
        places.v1.send(Command::Broadcast(frame::text(&encode(&RelayToClient::Stop(stop)))));
        Ok(())
    }
}

fn unknown_sound(name: &str) -> Refusal {
    refusal(ErrorCode::UnknownSound, format!("the bank has no sound named {name:?}"))
}

#[cfg(test)]
mod tests {
    use downbeat_protocol::TUTORIAL_TRIGGER_OUTPUT;

    use super::*;

    #[test]
    fn the_tutorial_frame_holds_the_tutorial_text() {
        assert_eq!(TUTORIAL_TRIGGER, frame::text(TUTORIAL_TRIGGER_OUTPUT));
    }
}
