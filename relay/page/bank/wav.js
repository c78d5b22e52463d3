// Reads WAV files by the rules of samples/src/wav.rs, so that every client plays the same: browsers
// differ in which files they decode. tests/vectors/wav.json holds both readers to the same results.
//
// No value of a header is trusted before it is checked against the bytes of the file.

import { maskOf } from './downmix.js';

const MAX_CHANNELS = 8;
const MIN_RATE = 1000;
const MAX_RATE = 768_000;

/** Maximum number of values (frames times channels). */
const MAX_VALUES = 64 * 2 ** 20;

/** Maximum level of a floating-point file, as a factor of full scale. */
const MAX_LEVEL = 64;

const PCM = 1;
const IEEE_FLOAT = 3;
const EXTENSIBLE = 0xfffe;
const GUID_TAIL = '\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71';

const SAVE_AS = 'save it as 8, 16, 24 or 32-bit integers or as 32 or 64-bit float';

/**
 * @typedef {object} Wav
 * @property {number} rate frames per second
 * @property {number} mask `dwChannelMask`: one bit for each loudspeaker
 * @property {Float32Array[]} channels the values of each channel, full scale at ±1
 */

/** @param {ArrayBuffer} file @returns {Wav} @throws an error with the reason if it cannot be played */
export function readWav(file) {
  const bytes = new DataView(file);
  const { format, data, promised } = findChunks(bytes);
  if (format.byteLength < 16) throw notWav('its description is too short');
  const count = format.getUint16(2, true);
  const rate = format.getUint32(4, true);
  const frameBytes = format.getUint16(12, true);
  const bits = format.getUint16(14, true);
  const tag = formatTag(format);
  if (count < 1 || count > MAX_CHANNELS) {
    throw new Error(`${count} channels cannot be played: there must be 1 to ${MAX_CHANNELS}`);
  }
  if (rate < MIN_RATE || rate > MAX_RATE) {
    throw new Error(`a rate of ${rate} Hz cannot be played: it must be ${MIN_RATE} to ${MAX_RATE} Hz`);
  }
  if (frameBytes === 0 || frameBytes % count !== 0) {
    throw notWav(`it claims ${frameBytes} bytes for a frame of ${count} channels`);
  }
  const frames = Math.floor(data.byteLength / frameBytes);
  if (promised !== null && frames < promised / BigInt(frameBytes)) {
    const told = promised / BigInt(frameBytes);
    throw new Error(
      `the file is cut off: its header declares ${told} frames, but only ${frames} are there`,
    );
  }
  if (frames === 0) throw new Error('the file has no frames: there is nothing to play');
  if (frames * count > MAX_VALUES) {
    throw new Error(
      `the file is too long: ${frames * count} values (frames times channels), and at most ${MAX_VALUES} are played`,
    );
  }
  const read = valueReader(tag, bits, frameBytes / count, data, frames * count);
  const isExtensible = format.getUint16(0, true) === EXTENSIBLE;
  const mask = maskOf(isExtensible ? format.getUint32(20, true) : 0, count);
  return { rate, mask, channels: readChannels(data, read, count, frames, frameBytes / count) };
}

function readChannels(data, read, count, frames, valueBytes) {
  const channels = Array.from({ length: count }, () => new Float32Array(frames));
  let at = data.byteOffset;
  const whole = new DataView(data.buffer);
  for (let frame = 0; frame < frames; frame += 1) {
    for (let channel = 0; channel < count; channel += 1) {
      const value = Math.fround(read(whole, at));
      if (!(Math.abs(value) <= MAX_LEVEL)) {
        throw new Error(
          `frame ${frame} holds ${formatFloat(value)}, which is not an audio level (full scale is 1.0)`,
        );
      }
      channels[channel][frame] = value;
      at += valueBytes;
    }
  }
  return channels;
}

/** Returns the function that reads a value at an offset of the file. */
function valueReader(tag, bits, valueBytes, data, values) {
  if (tag === PCM) {
    if (valueBytes === 1 && bits >= 1 && bits <= 8) return (file, at) => (file.getUint8(at) - 128) / 128;
    if (valueBytes === 4 && bits === 24 && !isLeftAligned(data, values)) return integer24;
    if (bits >= 9 && bits <= valueBytes * 8) {
      // Valid bits are left-aligned in their container.
      if (valueBytes === 2) return (file, at) => file.getInt16(at, true) / 2 ** 15;
      if (valueBytes === 3) return integer24;
      if (valueBytes === 4) return (file, at) => file.getInt32(at, true) / 2 ** 31;
    }
    throw notRead(`an integer of ${bits} bits in ${valueBytes} bytes`);
  }
  if (bits === 32 && valueBytes === 4) return (file, at) => file.getFloat32(at, true);
  if (bits === 64 && valueBytes === 8) return (file, at) => file.getFloat64(at, true);
  throw notRead(`floating point of ${bits} bits in ${valueBytes} bytes`);
}

function integer24(file, at) {
  return (file.getInt8(at + 2) * 2 ** 16 + file.getUint16(at, true)) / 2 ** 23;
}

/** Whether 24 bits in containers of 32 are left-aligned: the lowest byte is always zero, and the highest
 * one is not just a sign extension. */
function isLeftAligned(data, values) {
  let isSign = true;
  for (let at = 0; at < values * 4; at += 4) {
    if (data.getUint8(at) !== 0) return false;
    isSign &&= data.getUint8(at + 3) === (data.getUint8(at + 2) & 0x80 ? 0xff : 0);
  }
  return !isSign;
}

/** The format and data chunks, and the length of the data according to the header: null if the writer
 * did not fill it in. */
function findChunks(file) {
  const name = (at) => (at + 4 <= file.byteLength ? text(file, at, 4) : '');
  const kind = name(0);
  if (kind === 'RIFX') throw notRead('RIFX (a WAV of big-endian values)');
  const isLong = kind === 'RF64' || kind === 'BW64';
  if (!(isLong || kind === 'RIFF') || name(8) !== 'WAVE') {
    throw notWav('it does not begin with RIFF and WAVE');
  }
  let format = null;
  let longData = null;
  for (let head = 12; head + 8 <= file.byteLength; ) {
    const length = file.getUint32(head + 4, true);
    const body = head + 8;
    const present = Math.min(length, file.byteLength - body);
    switch (name(head)) {
      case 'fmt ':
        format = new DataView(file.buffer, body, present);
        break;
      case 'ds64':
        if (isLong && present >= 16) longData = file.getBigUint64(body + 8, true);
        break;
      case 'data': {
        if (format === null) throw notWav('it does not say how its data is stored');
        const promised = promisedLength(file, length, longData, body);
        const available = file.byteLength - body;
        const bytes = promised === null || promised > available ? available : Number(promised);
        return { format, data: new DataView(file.buffer, body, bytes), promised };
      }
    }
    // Chunks are word-aligned.
    head = body + length + (length % 2);
  }
  throw notWav('it has no data chunk');
}

function promisedLength(file, length, longData, dataStartsAt) {
  if (longData !== null && length === 0xffffffff) {
    return longData === 0n || longData === 2n ** 64n - 1n ? null : longData;
  }
  return isUnfinished(length, file.getUint32(4, true), dataStartsAt) ? null : BigInt(length);
}

/** Whether a data chunk's length was never filled in: the greatest number, one just below 2 GiB or
 * 4 GiB, or 0 in a file whose own length ends where the data begins. */
function isUnfinished(length, riff, dataStartsAt) {
  return (
    (length >= 0x7fff0000 && length <= 0x80000000) ||
    length >= 0xffff0000 ||
    (length === 0 && riff + 8 <= dataStartsAt)
  );
}

function formatTag(format) {
  const tag = format.getUint16(0, true);
  if (tag === PCM || tag === IEEE_FLOAT) return tag;
  if (tag === EXTENSIBLE) {
    const inner = format.byteLength >= 40 ? format.getUint16(24, true) : 0;
    if ((inner === PCM || inner === IEEE_FLOAT) && text(format, 26, 14) === GUID_TAIL) return inner;
    throw notRead('an extensible format of another kind');
  }
  const names = { 2: 'ADPCM', 6: 'A-law', 7: 'µ-law', 0x11: 'ADPCM', 0x50: 'MPEG audio', 0x55: 'MPEG audio' };
  throw notRead(names[tag] ?? `format 0x${tag.toString(16).padStart(4, '0')}`);
}

function text(view, at, length) {
  return String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + at, length));
}

function notWav(why) {
  return new Error(`not a WAV file: ${why}`);
}

function notRead(what) {
  return new Error(`${what} is not supported: ${SAVE_AS}`);
}

/** A single-precision number with the fewest digits that identify it. */
function formatFloat(value) {
  if (!Number.isFinite(value)) return String(value).replace('Infinity', 'inf');
  const digits = [1, 2, 3, 4, 5, 6, 7, 8, 9].find((n) => Math.fround(value.toPrecision(n)) === value);
  return String(Number(value.toPrecision(digits)));
}
