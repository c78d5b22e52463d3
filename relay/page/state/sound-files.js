// Files that shall become sounds: whether the relay can take them, before they are sent, and their names.
//
// Pure. The relay decides in the end; what it certainly refuses is refused here at once, in words.

import { validName } from '../protocol/names.js';

/** Largest file, in bytes. */
export const MAX_FILE_BYTES = 96 * 2 ** 20;

/** Most sounds of a bank. */
export const MAX_SOUNDS = 2048;

/** Bytes of a file that tell its kind. */
export const HEAD_BYTES = 12;

/** The kinds that the relay reads, as they are called. */
export const KINDS = 'WAV, FLAC, Ogg Vorbis, MP3, AIFF';

/** What a file chooser offers. */
export const ACCEPT = '.wav,.wave,.flac,.ogg,.oga,.mp3,.aif,.aiff,.aifc,audio/*';

/** Kinds of audio that people have, and that the relay does not read. */
const OTHER_AUDIO = /\.(m4a|aac|mp4|wma|opus|mid|midi|caf|webm)$/i;

const text = (head, from, to) => String.fromCharCode(...head.subarray(from, to));

/** Whether the first bytes of a file are those of a kind that the relay reads. @param {Uint8Array} head */
export function isSound(head) {
  const start = text(head, 0, 4);
  const form = text(head, 8, 12);
  if (start === 'RIFF' || start === 'RF64') return form === 'WAVE';
  if (start === 'FORM') return form === 'AIFF' || form === 'AIFC';
  if (start === 'fLaC' || start === 'OggS' || start.startsWith('ID3')) return true;
  // A frame of MP3 begins with eleven bits that are set, and a layer that is none of the reserved ones.
  return head[0] === 0xff && (head[1] & 0xe0) === 0xe0 && (head[1] & 0x06) !== 0;
}

/** A size, in the unit that people use for files. */
export function formatBytes(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  const kibibytes = bytes / 1024;
  if (kibibytes < 1000) return `${Math.round(kibibytes)} KiB`;
  const mebibytes = kibibytes / 1024;
  return `${mebibytes < 10 ? mebibytes.toFixed(1) : Math.round(mebibytes)} MiB`;
}

/**
 * Why a file cannot be added; null if it may be.
 * @param {{name: string, size: number}} file
 * @param {Uint8Array} head its first bytes
 */
export function problemOf({ name, size }, head) {
  if (size === 0) return 'The file is empty.';
  if (size > MAX_FILE_BYTES) {
    return `It has ${formatBytes(size)}; ${formatBytes(MAX_FILE_BYTES)} is the limit.`;
  }
  if (isSound(head)) return null;
  const kinds = KINDS.replace(/, (\w+)$/, ' or $1');
  if (OTHER_AUDIO.test(name)) return `The relay does not read this kind: save it as ${kinds}.`;
  return `This is no sound that the relay reads: it must be ${kinds}.`;
}

/** The name of a sound: that of its file without the ending. */
export function soundNameOf(fileName) {
  const stem = fileName.replace(/\.[^.]*$/, '');
  const cut = [...(validName(stem) === null ? stem : '')].slice(0, 64).join('');
  return validName(stem) ?? validName(cut) ?? 'sound';
}
