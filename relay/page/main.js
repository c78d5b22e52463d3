// Creates the parts of the page and connects them.
//
// Contains no rules: gestures are interpreted in session/actions.js, messages in session/session.js.

import { AudioOutput } from './audio/audio-output.js';
import { Decoder } from './bank/decoder.js';
import { SoundBank } from './bank/sound-bank.js';
import { ClockEstimator, tickMicros } from './clock/estimator.js';
import { Connection, socketUrl } from './net/connection.js';
import { actionHandler } from './session/actions.js';
import { AdmissionCheck } from './session/admission-check.js';
import { OutputWatch } from './session/output-watch.js';
import { Reporter } from './session/reporter.js';
import { Session } from './session/session.js';
import { VoiceScheduler } from './session/voice-scheduler.js';
import { Cues } from './state/cues.js';
import { Room } from './state/room.js';
import { SettingsStore, browserStorage } from './state/settings.js';
import { Ui } from './ui/ui.js';

const CLIENT = 'downbeat-page';

/** Local time, in µs. */
const now = () => performance.now() * 1000;

const settings = new SettingsStore(browserStorage());
const { machine, name, volume, extraLatencyMillis, uses } = settings.current;

let perform = () => {};
const ui = new Ui((action) => perform(action));
ui.showState('connecting');
ui.showName(name);
ui.showVolume(volume);
ui.showExtraLatency(extraLatencyMillis);

try {
  run(new AudioOutput());
} catch (error) {
  ui.askForTouch('No audio here', error.message);
}

/** @param {AudioOutput} audio */
function run(audio) {
  const room = new Room(name);
  const cues = new Cues(room);
  const clock = new ClockEstimator(tickMicros(now));
  const decoder = new Decoder();
  audio.setVolume(volume);

  const bank = new SoundBank(
    async (file) => audio.createBuffer(await decoder.decode(file, audio.sampleRate)),
    () => audio.sampleRate,
    {
      changed: (sound) => session.soundChanged(sound),
      failed: (sound, reason) => ui.notify(`“${sound}” cannot be loaded: ${reason}.`, 'bad'),
    },
    uses,
  );

  /** Shows a voice at the local time at which it is heard. */
  const showVoice = (heardAtMicros) => {
    const show = () => {
      ui.flash();
      ui.meter(
        () => audio.peak(),
        () => cues.size > 0,
      );
    };
    setTimeout(show, Math.max(0, (heardAtMicros - now()) / 1000));
  };
  const scheduler = new VoiceScheduler(cues, clock, bank, audio, {
    started: (_, heardAtMicros) => showVoice(heardAtMicros),
    missed: ({ sound }) => ui.notify(`“${sound}” arrived after its end and was not played here.`),
  });
  scheduler.extraLatencyMicros = extraLatencyMillis * 1000;

  const connection = new Connection(
    socketUrl(location.href),
    () => ({ type: 'hello', name: room.name, kind: 'page', client: CLIENT, machine }),
    clock,
    {
      state: (state) => {
        ui.showState(state);
        if (state === 'connected') return admissionCheck.accepted();
        session.disconnected();
        admissionCheck.lost();
      },
      failed: () => admissionCheck.attemptFailed(),
      message: (message) => session.receive(message),
      probed: (reply, arrivedMicros) => session.probed(reply, arrivedMicros),
      invalid: (problem) => console.warn(`invalid message: ${problem}`),
    },
  );

  const send = (message) => connection.send(message);
  const admissionCheck = new AdmissionCheck(connection, ui);
  const reporter = new Reporter({ room, clock, audio, scheduler, send, ui, now });
  const outputWatch = new OutputWatch(audio, scheduler, reporter, ui);
  const session = new Session({ room, cues, clock, bank, scheduler, reporter, settings, ui, now });
  perform = actionHandler({
    settings, room, cues, audio, bank, scheduler, connection, admissionCheck, outputWatch, reporter, session, ui,
  });

  audio.onStateChange = () => outputWatch.stateChanged();
  window.addEventListener('online', () => connection.connect());
  window.addEventListener('hashchange', () => connection.reconnect());
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) return;
    connection.connect();
    outputWatch.pageShown();
  });
  window.addEventListener('pagehide', () => settings.update({ uses: bank.uses }));

  ui.askForTouch('Tap to join', 'Browsers start audio only on a gesture');
  connection.connect();
  outputWatch.run();
  reporter.run();
  session.run();
}
