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
import { Lights } from './session/lights.js';
import { OutputWatch } from './session/output-watch.js';
import { Reporter } from './session/reporter.js';
import { Session } from './session/session.js';
import { SetStream } from './session/set-stream.js';
import { VariableWatch } from './session/variable-watch.js';
import { VoiceScheduler } from './session/voice-scheduler.js';
import { Bindings } from './state/bindings.js';
import { Cues } from './state/cues.js';
import { Hand } from './state/hand.js';
import { Room } from './state/room.js';
import { SettingsStore, browserStorage } from './state/settings.js';
import { Variables } from './state/variables.js';
import { Ui } from './ui/ui.js';

const CLIENT = 'downbeat-page';

/** Local time, in µs. */
const now = () => performance.now() * 1000;

const settings = new SettingsStore(browserStorage());
const { machine, name, volume, extraLatencyMillis, view, theme, uses } = settings.current;

let perform = () => {};
const ui = new Ui((action) => perform(action));
ui.showTheme(theme);
ui.showView(view);
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
  const hand = new Hand();
  const variables = new Variables();
  const bindings = new Bindings(variables);
  const cues = new Cues(room, bindings);
  const clock = new ClockEstimator(tickMicros(now));
  const decoder = new Decoder();
  audio.setVolume(volume);

  const bank = new SoundBank(
    async (file) => {
      const { channels, peaks } = await decoder.decode(file, audio.sampleRate);
      return { buffer: audio.createBuffer(channels), peaks };
    },
    () => audio.sampleRate,
    {
      changed: (sound) => session.soundChanged(sound),
      failed: (sound, reason) => ui.notify(`“${sound}” cannot be loaded: ${reason}.`, 'bad'),
    },
    uses,
  );

  /** Shows a voice at the local time at which it is heard. */
  const showVoice = ({ seq, sound }, heardAtMicros) => {
    const show = () => {
      // A stop may have come before.
      if (cues.get(seq)?.isCancelled) return;
      ui.flash(sound);
      ui.meter(
        () => audio.peak(),
        () => cues.size > 0,
      );
    };
    setTimeout(show, Math.max(0, (heardAtMicros - now()) / 1000));
  };
  const scheduler = new VoiceScheduler(cues, bindings, clock, bank, audio, {
    started: showVoice,
    missed: ({ sound }) => ui.notify(`“${sound}” arrived after its end and was not played here.`),
    stolen: () => ui.notify('Too many sounds at once: the oldest one was ended here.'),
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
  const lights = new Lights((sound) => ui.showElsewhere(sound), now);
  const watch = new VariableWatch({ variables, room, clock, scheduler, ui, now });
  const session = new Session({
    room, cues, clock, bank, scheduler, reporter, variables: watch, lights, settings, ui, now,
  });
  const setStream = new SetStream((request) => {
    if (send(request)) return;
    ui.notify('Not connected: the value was not set.', 'bad');
    if (request.ack !== undefined) ui.showRefusal(request.ack);
  });
  perform = actionHandler({
    settings, room, hand, cues, audio, bank, scheduler, setStream, connection, admissionCheck, outputWatch,
    reporter, session, ui,
  });
  ui.showHand(hand);
  ui.followSounding(() => session.sounding());

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
