// What a gesture does. The only module that interprets an action.

import { TONE } from '../protocol/fields.js';
import { validName } from '../protocol/names.js';

/** How long what a moved fader drives takes to get to each value, in µs: a little longer than the time
 * between two values, so that it moves without steps. */
const GLIDE_MICROS = 25_000;

const NOBODY = 'No machine is chosen: choose who plays.';

/** Most tags of a machine. */
const MAX_TAGS = 16;

/**
 * @param {object} parts
 * @param {import('../state/settings.js').SettingsStore} parts.settings
 * @param {import('../state/room.js').Room} parts.room
 * @param {import('../state/hand.js').Hand} parts.hand
 * @param {import('../state/cues.js').Cues} parts.cues
 * @param {import('../audio/audio-output.js').AudioOutput} parts.audio
 * @param {import('../bank/sound-bank.js').SoundBank} parts.bank
 * @param {import('./voice-scheduler.js').VoiceScheduler} parts.scheduler
 * @param {import('./set-stream.js').SetStream} parts.setStream
 * @param {import('../net/connection.js').Connection} parts.connection
 * @param {import('./admission-check.js').AdmissionCheck} parts.admissionCheck
 * @param {import('./output-watch.js').OutputWatch} parts.outputWatch
 * @param {import('./reporter.js').Reporter} parts.reporter
 * @param {import('./session.js').Session} parts.session
 * @param {import('../ui/ui.js').Ui} parts.ui
 * @returns {(action: import('../ui/ui.js').Action) => void}
 */
export function actionHandler(parts) {
  const { settings, room, hand, cues, audio, bank, scheduler, setStream, connection } = parts;
  const { admissionCheck, outputWatch, reporter, session, ui } = parts;
  let lastAck = 0;

  /** Sends a request; one that cannot be sent is announced, and not kept. */
  function request(message, what) {
    const isSent = connection.send(message);
    if (!isSent) ui.notify(`Not connected: ${what} was not sent.`, 'bad');
    return isSent;
  }

  function bang() {
    request({ type: 'trigger', sound: session.chosenSound, gain: 1, rate: 1, pan: 0 }, 'the bang');
  }

  function press({ sound, hitDb }) {
    if (sound !== TONE) bank.request(sound);
    const message = hand.request(sound, hitDb);
    if (message === null) ui.notify(NOBODY);
    else request(message, 'the press');
  }

  /** Silences this machine at once, and then every other one through the relay. */
  function stop() {
    cues.silence();
    scheduler.refresh();
    if (!connection.send({ type: 'stop' })) {
      ui.notify('Stopped on this machine only: the relay cannot be reached.', 'bad');
    }
  }

  /** The target of a value, where each machine has one of its own. */
  function targetOf(whose) {
    if (whose === 'all') return undefined;
    return whose === 'hand' ? hand.target : { clients: [room.id] };
  }

  /** Sets a variable; the last value of a gesture is acknowledged. */
  function set({ name, value, isLast, isGliding, whose }) {
    const target = session.isPerMachine(name) ? targetOf(whose) : undefined;
    if (target === null) return ui.notify(NOBODY);
    const ack = isLast ? (lastAck += 1) : undefined;
    if (ack !== undefined) ui.expectAck(ack, name);
    setStream.set({
      type: 'set',
      name,
      value,
      over_micros: isGliding ? GLIDE_MICROS : undefined,
      target,
      ack,
    });
  }

  function assign({ client, seat, tags }) {
    const names = tags?.map(validName).filter((tag) => tag !== null);
    const kept = names && [...new Set(names)].slice(0, MAX_TAGS);
    request({ type: 'assign', clients: [client], seat, tags: kept }, 'the change');
  }

  function rename(input) {
    const name = validName(input);
    if (name && name !== settings.current.name) {
      settings.update({ name });
      room.name = name;
      connection.reconnect();
    }
    ui.showName(settings.current.name);
  }

  return (action) => {
    switch (action.type) {
      case 'start':
        return outputWatch.start();
      case 'token':
        admissionCheck.useToken(action.token);
        // Submitting the form is a user gesture, which the audio needs too.
        return outputWatch.start();
      case 'bang':
        return bang();
      case 'press':
        return press(action);
      case 'stop':
        return stop();
      case 'stop-sound':
        return void request({ type: 'stop', sound: action.sound }, 'the stop');
      case 'choose':
        settings.update({ sound: action.sound });
        return bank.request(action.sound);
      case 'sight':
        return bank.prefer(action.sounds);
      case 'hand':
        if (action.changed) hand.update(action.changed);
        else hand.reset();
        return ui.showHand(hand);
      case 'set':
        return set(action);
      case 'assign':
        return assign(action);
      case 'volume':
        settings.update({ volume: action.volume });
        return audio.setVolume(action.volume);
      case 'extra-latency':
        settings.update({ extraLatencyMillis: action.millis });
        scheduler.extraLatencyMicros = action.millis * 1000;
        return reporter.report();
      case 'rename':
        return rename(action.name);
      case 'view':
        return settings.update({ view: action.view });
      case 'theme':
        return settings.update({ theme: action.theme });
    }
  };
}
