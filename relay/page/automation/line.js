// Lines: piecewise linear functions of time, with steps. What a variable drives follows a line.
//
// Pure, and without a unit: state/ counts time in µs of relay time, audio/ in seconds of context time.

/**
 * @typedef {object} Segment Goes from `start` to `end` between two times.
 * @property {number} from
 * @property {number} to
 * @property {number} start
 * @property {number} end equal to `start` if the segment is level
 *
 * @typedef {Segment[]} Line Segments in order, without gaps, from -Infinity to Infinity. The first and the
 * last are level.
 */

/** Pieces into which a moving segment is divided where its image is curved. */
const PIECES = 16;

const isMoving = ({ start, end }) => start !== end;

/** The line that always has `value`. @returns {Line} */
export function level(value) {
  return [{ from: -Infinity, to: Infinity, start: value, end: value }];
}

/** Whether the line never changes. @param {Line} line */
export function isLevel(line) {
  return line.length === 1;
}

function segmentValue({ from, to, start, end }, at) {
  return start === end ? start : start + ((end - start) * (at - from)) / (to - from);
}

/** The segment at `at`; at a step, the one that begins there. */
function segmentAt(line, at) {
  return line.findLast(({ from }) => from <= at) ?? line[0];
}

/** The segment that ends at `at` or goes on beyond it; at a step, the one that ends there. */
function segmentBefore(line, at) {
  return line.find(({ to }) => at <= to) ?? line[line.length - 1];
}

/** The value at `at`; at a step, the value after it. @param {Line} line */
export function valueAt(line, at) {
  return segmentValue(segmentAt(line, at), at);
}

/** The value just before `at`. @param {Line} line */
export function valueBefore(line, at) {
  return segmentValue(segmentBefore(line, at), at);
}

/** The part of a line between two times. @param {Line} line @returns {Segment[]} */
export function part(line, from, to) {
  return line
    .filter((segment) => segment.to > from && segment.from < to)
    .map((segment) => {
      const [begins, ends] = [Math.max(from, segment.from), Math.min(to, segment.to)];
      if (!isMoving(segment)) return { ...segment, from: begins, to: ends };
      const [start, end] = [segmentValue(segment, begins), segmentValue(segment, ends)];
      return { from: begins, to: ends, start, end };
    });
}

/** `line` up to `at`, and `next` from there on. @param {Line} line @param {Line} next @returns {Line} */
export function splice(line, next, at) {
  return [...part(line, -Infinity, at), ...part(next, at, Infinity)];
}

/** `line` up to `at`, then on to `value` within `over`. @param {Line} line @returns {Line} */
export function glide(line, at, over, value) {
  const reached = at + over;
  const way = over > 0 ? [{ from: at, to: reached, start: valueAt(line, at), end: value }] : [];
  const rest = { from: reached, to: Infinity, start: value, end: value };
  return [...part(line, -Infinity, at), ...way, rest];
}

/** The times at which segments of these lines meet. */
function joints(lines) {
  const times = lines.flatMap((line) => line.slice(1).map(({ from }) => from));
  return [...new Set(times)].sort((a, b) => a - b);
}

/**
 * Combines lines by a function of their values.
 *
 * @param {Line[]} lines at least one
 * @param {(...values: number[]) => number} combine
 * @param {(moving: number) => boolean} isStraight whether the result is straight where so many lines
 *   move; if not, it is approximated
 * @returns {Line}
 */
export function combine(lines, combine, isStraight) {
  const times = [-Infinity, ...joints(lines), Infinity];
  return times.slice(1).flatMap((to, index) => {
    const from = times[index];
    const segments = lines.map((line) => segmentAt(line, from));
    const at = (time) => combine(...segments.map((segment) => segmentValue(segment, time)));
    const moving = segments.filter(isMoving).length;
    if (moving === 0) {
      const value = at(from);
      return [{ from, to, start: value, end: value }];
    }
    const pieces = isStraight(moving) ? 1 : PIECES;
    const time = (piece) => (piece === pieces ? to : from + ((to - from) * piece) / pieces);
    return Array.from({ length: pieces }, (_, piece) => {
      const [begins, ends] = [time(piece), time(piece + 1)];
      return { from: begins, to: ends, start: at(begins), end: at(ends) };
    });
  });
}

/** The line with other times. @param {Line} line @param {(time: number) => number} map increasing */
export function mapTimes(line, map) {
  const time = (given) => (Number.isFinite(given) ? map(given) : given);
  const mapped = line.map((segment) => ({ ...segment, from: time(segment.from), to: time(segment.to) }));
  // Rounding may leave nothing of a segment.
  return mapped.filter(({ from, to }) => from < to);
}

/** The factor of a transposition. */
export function ratioOf(cents) {
  return 2 ** (cents / 1200);
}

/**
 * How far something gets between two times that moves at speed 1, transposed by a line in cents.
 * @param {Line} line
 */
export function travel(line, from, to) {
  if (to < from) return -travel(line, to, from);
  let sum = 0;
  for (const segment of part(line, from, to)) {
    const seconds = segment.to - segment.from;
    const bend = (Math.LN2 * (segment.end - segment.start)) / 1200;
    // The mean of an exponential curve; its limit where that would divide zero by zero.
    const mean = Math.abs(bend) < 1e-9 ? 1 + bend / 2 : Math.expm1(bend) / bend;
    sum += seconds * ratioOf(segment.start) * mean;
  }
  return sum;
}
