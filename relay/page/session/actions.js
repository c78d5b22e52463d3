// What a gesture does. The only module that interprets an action.

import { TONE } from '../protocol/fields.js';
import { validName } from '../protocol/names.js';
import { PLAY, whyNot } from '../state/rights.js';
import { volumeDbOf } from '../state/volume.js';

/** How long what a moved fader drives takes to get to each value, in µs: a little longer than the time
 * between two values, so that it moves without steps. */
const GLIDE_MICROS = 25_000;

const NOBODY = 'No machine is chosen: choose who plays.';

/**
 * @typedef {import('../state/machines.js').Machine} Machine
 *
 * @typedef {(
 *   {type: 'start'} |
 *   {type: 'token', text: string} |
 *   {type: 'bang'} |
 *   {type: 'press', sound: string, hitDb: number} |
 *   {type: 'stop'} |
 *   {type: 'stop-sound', sound: string} |
 *   {type: 'choose', sound: string} |
 *   {type: 'sight', sounds: string[]} |
 *   {type: 'hand', changed?: object} |
 *   {type: 'set', name: string, value: any, isLast: boolean, isGliding: boolean, whose: string} |
 *   {type: 'volume', volume: number} |
 *   {type: 'mute', isMuted: boolean} |
 *   {type: 'extra-latency', millis: number} |
 *   {type: 'rename', name: string} |
 *   {type: 'view', view: string} |
 *   {type: 'theme', theme: string} |
 *   {type: 'keep-awake', isWanted: boolean} |
 *   {type: 'assign', machines: Machine[], changed: object} |
 *   {type: 'tag', machines: Machine[], add?: string, remove?: string} |
 *   {type: 'seat', machines: Machine[], first: number} |
 *   {type: 'place', placed: {machine: Machine, place: {x: number, y: number}}[]} |
 *   {type: 'command', machines: Machine[], command: 'identify' | 'restart_output'} |
 *   {type: 'forget', machines: Machine[]} |
 *   {type: 'lock', isLocked: boolean} |
 *   {type: 'qr', url: string} |
 *   {type: 'edit-sounds', sounds?: object[], defaultSound?: string} |
 *   {type: 'audition', sound: string} |
 *   {type: 'add-files', files: File[]} |
 *   {type: 'remove-upload', id: number} |
 *   {type: 'retry-upload', id: number} |
 *   {type: 'clear-uploads'}
 * )} Action What a gesture asks for.
 */

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
 * @param {import('./requests.js').Requests} parts.requests
 * @param {import('./own-machine.js').OwnMachine} parts.ownMachine
 * @param {import('./conductor.js').Conductor} parts.conductor
 * @param {import('./uploads.js').Uploads} parts.uploads
 * @param {import('./room-watch.js').RoomWatch} parts.roomWatch
 * @param {import('./wake-lock.js').WakeLock} parts.wakeLock
 * @param {typeof import('../net/qr.js').qrImage} parts.qrImage
 * @param {import('../net/connection.js').Connection} parts.connection
 * @param {import('./admission-check.js').AdmissionCheck} parts.admissionCheck
 * @param {import('./output-watch.js').OutputWatch} parts.outputWatch
 * @param {import('./reporter.js').Reporter} parts.reporter
 * @param {import('./session.js').Session} parts.session
 * @param {import('../ui/ui.js').Ui} parts.ui
 * @returns {(action: Action) => void}
 */
export function actionHandler(parts) {
  const { settings, room, hand, cues, audio, bank, scheduler, setStream, connection } = parts;
  const { admissionCheck, outputWatch, reporter, session, ui, requests, ownMachine } = parts;
  const { conductor, uploads, roomWatch, wakeLock, qrImage } = parts;

  /** Sends a request; one that cannot be sent is announced, and not kept. */
  function request(message, what) {
    const isSent = connection.send(message);
    if (!isSent) ui.notify(`Not connected: ${what} was not sent.`, 'bad');
    return isSent;
  }

  /** Whether this client may play; if not, says why. */
  function mayPlay() {
    const reason = whyNot(PLAY, room);
    if (reason !== null) ui.notify(reason);
    return reason === null;
  }

  function bang() {
    if (!mayPlay()) return;
    request({ type: 'trigger', sound: session.chosenSound, gain: 1, rate: 1, pan: 0 }, 'the bang');
  }

  function press({ sound, hitDb }) {
    if (!mayPlay()) return;
    if (sound !== TONE) bank.request(sound);
    const message = hand.request(sound, hitDb);
    if (message === null) ui.notify(NOBODY);
    else request(message, 'the press');
  }

  /** Plays a sound on this machine only. */
  function audition(sound) {
    if (!mayPlay()) return;
    bank.request(sound);
    request({ type: 'trigger', sound, target: { clients: [room.id] } }, 'the sound');
  }

  /** Silences this machine at once, and then every other one through the relay. */
  function stop() {
    cues.silence();
    scheduler.refresh();
    const reason = whyNot(PLAY, room);
    if (reason !== null) {
      ui.notify(`Stopped on this machine only. ${reason}`);
    } else if (!connection.send({ type: 'stop' })) {
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
    const ack = isLast ? requests.number() : undefined;
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

  /** A person has changed a setting of this machine, which the relay keeps. */
  function rename(input) {
    const name = validName(input);
    if (name && name !== settings.current.name) {
      settings.update({ name });
      room.name = name;
      ownMachine.change('name', name);
    }
    ui.showName(settings.current.name);
  }

  function setVolume(volume) {
    settings.update({ volume });
    audio.setVolume(volume);
    ownMachine.change('volume_db', volumeDbOf(volume));
  }

  function mute(isMuted) {
    settings.update({ isMuted });
    audio.setMuted(isMuted);
    ui.showMuted(isMuted);
    ownMachine.change('muted', isMuted);
    reporter.report();
  }

  function setExtraLatency(millis) {
    settings.update({ extraLatencyMillis: millis });
    scheduler.extraLatencyMicros = millis * 1000;
    ownMachine.change('extra_latency_micros', Math.round(millis * 1000));
    reporter.report();
  }

  return (action) => {
    switch (action.type) {
      case 'start':
        return outputWatch.start();
      case 'token':
        admissionCheck.enter(action.text);
        // Submitting the form is a user gesture, which the audio needs too.
        return outputWatch.start();
      case 'bang':
        return bang();
      case 'press':
        return press(action);
      case 'stop':
        return stop();
      case 'stop-sound':
        return void (mayPlay() && request({ type: 'stop', sound: action.sound }, 'the stop'));
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
      case 'volume':
        return setVolume(action.volume);
      case 'mute':
        return mute(action.isMuted);
      case 'extra-latency':
        return setExtraLatency(action.millis);
      case 'rename':
        return rename(action.name);
      case 'view':
        settings.update({ view: action.view });
        return roomWatch.show(action.view);
      case 'keep-awake':
        settings.update({ keepsAwake: action.isWanted });
        return wakeLock.want(action.isWanted);
      case 'assign':
        return conductor.assign(action.machines, action.changed);
      case 'tag':
        return conductor.tag(action.machines, action);
      case 'seat':
        return conductor.seat(action.machines, action.first);
      case 'place':
        return conductor.place(action.placed);
      case 'command':
        return conductor.command(action.machines, action.command);
      case 'forget':
        return conductor.forget(action.machines);
      case 'lock':
        return conductor.lock(action.isLocked);
      case 'qr':
        return qrImage(action.url).then((image) => ui.room.showQr(action.url, image));
      case 'edit-sounds':
        return conductor.editSounds(action);
      case 'audition':
        return audition(action.sound);
      case 'add-files':
        return uploads.add(action.files);
      case 'remove-upload':
        return uploads.remove(action.id);
      case 'retry-upload':
        return uploads.retry(action.id);
      case 'clear-uploads':
        return uploads.clear();
      case 'theme':
        return settings.update({ theme: action.theme });
    }
  };
}
