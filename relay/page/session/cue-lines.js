// The lines that the voice of a cue follows.
//
// Pure.

import { QUANTUM_FRAMES } from '../audio/placement.js';
import { mapTimes } from '../automation/line.js';

/** The lines of a cue over relay time. @param {import('../state/cue.js').Cue} cue */
export function linesOf({ bend, gain, pan }) {
  return { bend, gain, pan };
}

/** The line of a cue with what its trigger asks for. */
export function withTrigger(name, line, trigger) {
  const add = { gain: (value) => value * trigger.gain, pan: (value) => value + trigger.pan }[name];
  if (!add) return line;
  return line.map((segment) => ({ ...segment, start: add(segment.start), end: add(segment.end) }));
}

/** The line, in context time, of a parameter that is read once per render quantum: its steps are at quanta. */
export function onQuanta(line, sampleRate) {
  const quantum = QUANTUM_FRAMES / sampleRate;
  const rounded = (at) => Math.round(at / quantum) * quantum;
  const steps = line.slice(1).filter(({ start }, index) => start !== line[index].end).map(({ from }) => from);
  return mapTimes(line, (at) => {
    // What is between two steps stays between them: segments do not overlap.
    const before = steps.findLast((step) => step <= at) ?? -Infinity;
    const after = steps.find((step) => step >= at) ?? Infinity;
    return Math.min(Math.max(at, rounded(before)), rounded(after));
  });
}
