// Makes an AudioParam follow a line: schedules it, and replaces what is scheduled from a time on.
//
// Knows context time only. A line that changes must not disturb what is heard before the change: the
// events of Web Audio depend on those before them, so that a ramp that is cut off is scheduled again, up
// to where it is cut.

import { part, splice, valueBefore } from '../automation/line.js';

export class ParamLine {
  #param;
  #line;
  #early;

  /**
   * @param {AudioParam} param
   * @param {import('../automation/line.js').Line} line
   * @param {number} from context time from which it is heard
   * @param {number} early how much earlier it is scheduled, in seconds: half a render quantum for a
   *   parameter that is read once per quantum, so that on average it is neither early nor late
   */
  constructor(param, line, from, early = 0) {
    this.#param = param;
    this.#line = line;
    this.#early = early;
    this.#schedule(from);
  }

  /** Follows another line from a time on. @param {import('../automation/line.js').Line} line */
  change(line, from) {
    const at = this.#time(from);
    this.#param.cancelScheduledValues(at);
    const held = this.#line.find((segment) => segment.from < from && from <= segment.to);
    if (held && held.start !== held.end) {
      this.#param.linearRampToValueAtTime(valueBefore(this.#line, from), at);
    }
    this.#line = splice(this.#line, line, from);
    this.#schedule(from);
  }

  /** The line as it is scheduled. */
  get line() {
    return this.#line;
  }

  #schedule(from) {
    for (const segment of part(this.#line, from, Infinity)) {
      this.#param.setValueAtTime(segment.start, this.#time(segment.from));
      if (segment.start === segment.end) continue;
      this.#param.linearRampToValueAtTime(segment.end, this.#time(segment.to));
    }
  }

  #time(seconds) {
    return Math.max(0, seconds - this.#early);
  }
}
