//! The session's loop: everything that happens to a session arrives here, and is handled one at a time.
//!
//! The decisions are made in pure modules (`protocol`, `cues`, `clock`); these files carry their results
//! between the connection, the output, the loader and the observer.

mod actions;
mod joining;
mod machine;
mod output;
mod relay;
mod report;
mod session;
mod sounds;
mod uploads;
mod variables;

use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

pub(super) use self::session::Session;
use self::session::{HelperEvent, REPORT_EVERY};
use crate::{action::Action, event::SessionEvent, net::discovery};

/// Runs a session until the other end of `actions` is dropped.
pub(super) async fn run(mut session: Session, mut actions: mpsc::Receiver<Action>) {
    loop {
        let wake_at = session.wake_at();
        tokio::select! {
            action = actions.recv() => match action {
                Some(action) => session.act(action),
                None => break,
            },
            event = session.connection.next() => session.connection_event(event),
            Some(event) = session.helpers.recv() => session.helper_event(event),
            () = discovery::changed(&mut session.discovery) => session.relays_changed(),
            () = sleep_until(wake_at) => session.wake(),
        }
        session.emit_voice_updates();
        session.send_outcomes();
        session.send_changes();
    }
    // A helper that waits for room in the queue must see that it is closed, or it would never end.
    session.helpers.close();
    session.connection.close().await;
    session.settings.close().await;
}

impl Session {
    fn helper_event(&mut self, event: HelperEvent) {
        let now = self.clock.now();
        match event {
            HelperEvent::Loader(answer) => self.loader_answer(answer, now),
            HelperEvent::Output(event) => self.output_event(event, now),
            HelperEvent::Exchanged(number, outcome) => self.code_exchanged(number, outcome),
            HelperEvent::Upload(id, event) => self.upload_event(id, event),
        }
    }

    /// When [`Session::wake`] is due.
    fn wake_at(&self) -> Instant {
        let local = |time| Instant::from(self.clock.instant(time));
        let probe_due =
            self.protocol.own_id().map(|_| self.relay_clock.next_probe_at(self.clock.now()));
        [
            self.protocol.welcome_deadline().map(local),
            probe_due.map(local),
            self.cues_due,
            self.outcomes.due().map(local),
            self.joining.due().map(local),
            self.protocol.own_id().and_then(|_| self.uploads.due()).map(local),
            self.protocol.own_id().and_then(|_| self.own_machine.due()).map(local),
            self.value_due().map(local),
            self.settings.write_at(),
        ]
        .into_iter()
        .flatten()
        .fold(self.report_due, Instant::min)
    }

    /// Does what is due by the clock.
    fn wake(&mut self) {
        let now = Instant::now();
        let local = self.clock.now();
        self.check_welcome_deadline(local);
        if self.protocol.own_id().is_some() && self.relay_clock.next_probe_at(local) <= local {
            self.send_probe(local);
        }
        self.apply_values(local);
        self.join_alone();
        if self.uploads.due().is_some_and(|due| due <= local) {
            self.advance_uploads();
        }
        if self.cues_due.is_some_and(|due| due <= now) {
            self.update_cues();
        }
        self.settings.write(now);
        if self.report_due <= now || self.lead_has_grown() || self.error_has_changed(now) {
            self.report_due = now + REPORT_EVERY;
            let checked = self.connection.check();
            self.handle_loss(checked);
            self.show_latency();
            // What is left of a former relay's clock says nothing about the next.
            let error_micros = self.protocol.own_id().and_then(|_| self.clock_error_micros());
            self.emit(SessionEvent::Clock { error_micros });
            self.outcomes.hurry(local);
            self.report();
        }
    }
}
