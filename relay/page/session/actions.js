// What a gesture does. The only module that interprets an action.

import { validName } from '../protocol/names.js';

/**
 * @param {object} parts
 * @param {import('../state/settings.js').SettingsStore} parts.settings
 * @param {import('../state/room.js').Room} parts.room
 * @param {import('../state/cues.js').Cues} parts.cues
 * @param {import('../audio/audio-output.js').AudioOutput} parts.audio
 * @param {import('../bank/sound-bank.js').SoundBank} parts.bank
 * @param {import('./voice-scheduler.js').VoiceScheduler} parts.scheduler
 * @param {import('../net/connection.js').Connection} parts.connection
 * @param {import('./admission-check.js').AdmissionCheck} parts.admissionCheck
 * @param {import('./output-watch.js').OutputWatch} parts.outputWatch
 * @param {import('./reporter.js').Reporter} parts.reporter
 * @param {import('./session.js').Session} parts.session
 * @param {import('../ui/ui.js').Ui} parts.ui
 * @returns {(action: import('../ui/ui.js').Action) => void}
 */
export function actionHandler(parts) {
  const { settings, room, cues, audio, bank, scheduler, connection } = parts;
  const { admissionCheck, outputWatch, reporter, session, ui } = parts;

  function bang() {
    const sound = session.chosenSound;
    if (!connection.send({ type: 'trigger', sound, gain: 1, rate: 1, pan: 0 })) {
      ui.notify('Not connected: the bang was not sent.', 'bad');
    }
  }

  /** Silences this machine at once, and then every other one through the relay. */
  function stop() {
    cues.silence();
    scheduler.refresh();
    if (!connection.send({ type: 'stop' })) {
      ui.notify('Stopped on this machine only: the relay cannot be reached.', 'bad');
    }
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
      case 'stop':
        return stop();
      case 'choose':
        settings.update({ sound: action.sound });
        return bank.request(action.sound);
      case 'volume':
        settings.update({ volume: action.volume });
        return audio.setVolume(action.volume);
      case 'extra-latency':
        settings.update({ extraLatencyMillis: action.millis });
        scheduler.extraLatencyMicros = action.millis * 1000;
        return reporter.report();
      case 'rename':
        return rename(action.name);
    }
  };
}
