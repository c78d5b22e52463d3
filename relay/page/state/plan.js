// The plan of the room: where machines stand, how they are moved, and the seats that follow from it.
//
// Pure. Places go from 0 to 1, from the left and from the front.

/** Machines snap to this grid, so that rows become straight. */
const GRID = 1 / 40;

/** Machines closer than this, from the front, are in one row. */
const ROW = 0.06;

/** The edges of the plan that are left free by an arrangement. */
const MARGIN = 0.08;

const clamp = (value) => Math.min(1, Math.max(0, value));
const snapped = (value) => Number((Math.round(clamp(value) / GRID) * GRID).toFixed(4));

/** The place nearest to a point. */
export function placeAt(x, y) {
  return { x: snapped(x), y: snapped(y) };
}

const STEPS = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** The place after a key; undefined if the key moves nothing. A machine without a place begins in the middle. */
export function placeAfter(key, place) {
  const step = STEPS[key];
  if (!step) return undefined;
  if (!place) return placeAt(0.5, 0.5);
  return placeAt(place.x + step[0] * GRID, place.y + step[1] * GRID);
}

/** Machines by their seats, then as they were. */
function bySeat(a, b) {
  return (a.seat ?? Infinity) - (b.seat ?? Infinity) || 0;
}

/**
 * Places in rows, by seat, for machines that have none: below those that are placed already.
 * @param {import('./machines.js').Machine[]} unplaced
 * @param {import('./machines.js').Machine[]} placed
 * @returns {{machine: import('./machines.js').Machine, place: {x: number, y: number}}[]}
 */
export function arrange(unplaced, placed) {
  const columns = Math.max(1, Math.ceil(Math.sqrt(unplaced.length * 1.6)));
  const rows = Math.ceil(unplaced.length / columns);
  const deepest = Math.max(0, ...placed.map(({ place }) => place.y));
  const top = placed.length === 0 ? MARGIN : Math.min(0.8, deepest + 0.12);
  const along = (at, count, from, to) => (count === 1 ? (from + to) / 2 : from + ((to - from) * at) / (count - 1));
  return [...unplaced].sort(bySeat).map((machine, at) => {
    const row = Math.floor(at / columns);
    const inRow = Math.min(columns, unplaced.length - row * columns);
    const column = at - row * columns;
    // A last row that is not full keeps to the columns of the others.
    const x = along(column, rows > 1 ? columns : inRow, MARGIN, 1 - MARGIN);
    const y = rows === 1 && placed.length === 0 ? 0.5 : along(row, rows, top, 1 - MARGIN);
    return { machine, place: placeAt(x, y) };
  });
}

/**
 * Machines in the order in which one counts seats: row by row from the front, from the left; those without a
 * place last, by name.
 * @param {import('./machines.js').Machine[]} machines
 */
export function inSeatOrder(machines) {
  const placed = machines.filter(({ place }) => place).sort((a, b) => a.place.y - b.place.y);
  const rows = [];
  for (const machine of placed) {
    const row = rows.at(-1);
    if (row && machine.place.y - row[0].place.y <= ROW) row.push(machine);
    else rows.push([machine]);
  }
  const collator = new Intl.Collator(undefined, { numeric: true });
  const others = machines.filter(({ place }) => !place);
  others.sort((a, b) => bySeat(a, b) || collator.compare(a.name, b.name));
  return [...rows.flatMap((row) => row.sort((a, b) => a.place.x - b.place.x)), ...others];
}
