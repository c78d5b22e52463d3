// The volume of this machine, and its mute button.

import { element, setText } from './dom.js';

/** @param {(action: import('../session/actions.js').Action) => void} perform */
export function listenToVolume(perform) {
  element('volume').addEventListener('input', ({ target }) => {
    const volume = target.value / 100;
    showVolume(volume);
    perform({ type: 'volume', volume });
  });
  const mute = element('mute');
  mute.addEventListener('click', () => {
    perform({ type: 'mute', isMuted: mute.getAttribute('aria-pressed') !== 'true' });
  });
}

/** @param {number} volume position of the fader, 0 to 1 */
export function showVolume(volume) {
  const percent = Math.round(volume * 100);
  const slider = element('volume');
  slider.value = String(percent);
  slider.style.setProperty('--fill', `${percent}%`);
  setText(element('volume-value'), String(percent));
}

export function showMuted(isMuted) {
  const mute = element('mute');
  const text = isMuted ? 'This machine is muted' : 'Mute this machine';
  mute.setAttribute('aria-pressed', String(isMuted));
  mute.setAttribute('aria-label', 'Mute this machine');
  mute.title = text;
  element('volume-bar').classList.toggle('muted', isMuted);
}
