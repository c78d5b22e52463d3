// Creates the parts of the page and connects them.
//
// Contains no rules: gestures are interpreted in session/actions.js, messages in session/session.js.

import { AudioOutput } from './audio/audio-output.js';
import { Decoder } from './bank/decoder.js';
import { SoundBank } from './bank/sound-bank.js';
import { ClockEstimator, tickMicros } from './clock/estimator.js';
import { Connection, socketUrl } from './net/connection.js';
import { qrImage } from './net/qr.js';
import { putFile } from './net/upload.js';
import { actionHandler } from './session/actions.js';
import { AdmissionCheck } from './session/admission-check.js';
import { Conductor } from './session/conductor.js';
import { Lights } from './session/lights.js';
import { Outcomes } from './session/outcomes.js';
import { OutputWatch } from './session/output-watch.js';
import { OwnMachine } from './session/own-machine.js';
import { Presence } from './session/presence.js';
import { Reporter } from './session/reporter.js';
import { Requests } from './session/requests.js';
import { RoomWatch } from './session/room-watch.js';
import { Session } from './session/session.js';
import { SetStream } from './session/set-stream.js';
import { Uploads } from './session/uploads.js';
import { VariableWatch } from './session/variable-watch.js';
import { VoiceScheduler } from './session/voice-scheduler.js';
import { WakeLock } from './session/wake-lock.js';
import { Bindings } from './state/bindings.js';
import { Cues } from './state/cues.js';
import { Hand } from './state/hand.js';
import { Machines } from './state/machines.js';
import { Receipts } from './state/receipts.js';
import { Room } from './state/room.js';
import { SettingsStore, browserStorage } from './state/settings.js';
import { Variables } from './state/variables.js';
import { positionOfDb } from './state/volume.js';
import { Ui } from './ui/ui.js';

const CLIENT = 'downbeat-page';

/** Local time, in µs. */
const now = () => performance.now() * 1000;

const settings = new SettingsStore(browserStorage());
const { machine, name, volume, isMuted, extraLatencyMillis, view, theme, keepsAwake, uses } = settings.current;

let perform = () => {};
const ui = new Ui((action) => perform(action));
ui.showTheme(theme);
ui.showView(view);
ui.showState('connecting');
ui.showName(name);
ui.showVolume(volume);
ui.showMuted(isMuted);
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
  const machines = new Machines();
  const receipts = new Receipts();
  const wakeLock = new WakeLock();
  audio.setVolume(volume);
  audio.setMuted(isMuted);

  const bank = new SoundBank(
    async (file) => {
      // The output may be opened anew meanwhile, at another rate.
      const { sampleRate } = audio;
      const { channels, peaks } = await decoder.decode(file, sampleRate);
      return { buffer: audio.createBuffer(channels, sampleRate), peaks };
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
    started: (trigger, heardAtMicros, latenessMicros) => {
      showVoice(trigger, heardAtMicros);
      if (audio.isSilent) outcomes.missed(trigger.seq, 'muted');
      else outcomes.sounded(trigger.seq, latenessMicros);
    },
    missed: ({ seq, sound }) => {
      ui.notify(`“${sound}” arrived after its end and was not played here.`);
      outcomes.missed(seq, 'too_late');
    },
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
  const requests = new Requests(send);
  const outcomes = new Outcomes(send, (trigger) => scheduler.whyNot(trigger));
  const admissionCheck = new AdmissionCheck(connection, ui);
  const reporter = new Reporter({ room, clock, audio, scheduler, bank, settings, send, ui, now });
  const outputWatch = new OutputWatch({ audio, scheduler, bank, reporter, ui });
  const lights = new Lights((sound) => ui.showElsewhere(sound), now);
  const watch = new VariableWatch({ variables, room, clock, scheduler, ui, now });
  const isVisible = () => !document.hidden;
  const roomWatch = new RoomWatch({ requests, room, machines, receipts, ui, now, isVisible });
  const uploads = new Uploads({ requests, put: putFile, ui });
  const takeKept = (kept) => {
    for (const [field, value] of Object.entries(kept)) takeOwn({ settings, room, audio, scheduler, ui }, field, value);
  };
  const ownMachine = new OwnMachine(requests, room, takeKept, () => reporter.report());
  const session = new Session({
    room, cues, clock, bank, scheduler, reporter, variables: watch, lights, outcomes, requests, ownMachine, roomWatch,
    uploads, outputWatch, settings, ui, now,
  });
  const setStream = new SetStream((request) => {
    if (send(request)) return;
    ui.notify('Not connected: the value was not set.', 'bad');
    if (request.ack !== undefined) ui.showRefusal(request.ack);
  });
  perform = actionHandler({
    settings, room, hand, cues, audio, bank, scheduler, setStream, requests, ownMachine,
    conductor: new Conductor(requests, ui), uploads, roomWatch, wakeLock, qrImage, connection, admissionCheck,
    outputWatch, reporter, session, ui,
  });
  ui.showHand(hand);
  ui.showKeepsAwake(wakeLock.isOffered, keepsAwake);
  ui.followSounding(() => session.sounding());
  ui.bank.followPeaks((sound) => bank.peaks(sound));
  roomWatch.show(view);
  wakeLock.want(keepsAwake);

  audio.onStateChange = () => outputWatch.stateChanged();
  new Presence({ connection, outputWatch, roomWatch, wakeLock }).listen(window, document);
  window.addEventListener('hashchange', () => connection.reconnect());
  window.addEventListener('pagehide', () => settings.update({ uses: bank.uses }));

  ui.askForTouch('Tap to join', 'Browsers start audio only on a gesture');
  connection.connect();
  outputWatch.run();
  reporter.run();
  session.run();
}

/** This machine takes a value that the relay keeps of it. */
function takeOwn({ settings, room, audio, scheduler, ui }, field, value) {
  switch (field) {
    case 'name':
      room.name = value;
      settings.update({ name: value });
      return ui.showName(value);
    case 'volume_db':
      settings.update({ volume: positionOfDb(value) });
      audio.setVolume(settings.current.volume);
      return ui.showVolume(settings.current.volume);
    case 'muted':
      settings.update({ isMuted: value });
      audio.setMuted(value);
      return ui.showMuted(value);
    case 'extra_latency_micros':
      settings.update({ extraLatencyMillis: value / 1000 });
      scheduler.extraLatencyMicros = value;
      return ui.showExtraLatency(value / 1000);
  }
}
