// What several machines have in common, and what a change of it asks the relay for.
//
// Pure.

/** What differs between the machines. */
export const MIXED = Symbol('mixed');

/** Most machines in one request, and most tags of a machine. */
const MAX_TARGETS = 256;
const MAX_TAGS = 16;

/** How much two reports of one volume can differ, in dB: it loses a little on its way. */
const SAME_DB = 0.02;

/** The value that all machines have; `MIXED` if they differ. */
function common(machines, valueOf) {
  const values = new Set(machines.map(valueOf));
  if (values.size > 1) return MIXED;
  return [...values][0];
}

/** The volume that all machines have, in dB; `MIXED` if they differ. */
function commonVolume(machines) {
  const [first, ...others] = machines.map(({ report }) => report?.volume_db);
  const isSame = (volume) => volume === first || Math.abs(volume - first) <= SAME_DB;
  return others.every(isSame) ? first : MIXED;
}

/**
 * What machines have in common: each value that of all, `MIXED`, or undefined if none has any.
 * @param {import('./machines.js').Machine[]} machines
 */
export function sharedOf(machines) {
  return {
    name: common(machines, ({ name }) => name),
    seat: common(machines, ({ seat }) => seat),
    rights: common(machines, ({ rights }) => rights),
    volumeDb: commonVolume(machines),
    isMuted: common(machines, ({ report }) => report && report.muted === true),
    extraLatencyMicros: common(machines, ({ report }) => report && (report.extra_latency_micros ?? 0)),
  };
}

/** The tags of machines with how many have each, in alphabetical order. @returns {[string, number][]} */
export function tagsOf(machines) {
  const counts = new Map();
  for (const { tags = [] } of machines) for (const tag of tags) counts.set(tag, (counts.get(tag) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
}

/**
 * Whom a request is for, in as many requests as are needed: connected clients, and machines that are away.
 * @param {import('./machines.js').Machine[]} machines
 * @returns {{clients?: number[], machines?: number[]}[]}
 */
export function targetsOf(machines) {
  const clients = machines.filter(({ isAway }) => !isAway).map(({ id }) => id);
  const away = machines.filter(({ isAway }) => isAway).map(({ machine }) => machine);
  return [
    ...chunks(clients).map((chunk) => ({ clients: chunk })),
    ...chunks(away).map((chunk) => ({ machines: chunk })),
  ];
}

/**
 * The requests that change tags: one for all machines that end with the same ones.
 * @param {import('./machines.js').Machine[]} machines
 * @param {{add?: string, remove?: string}} change
 */
export function tagRequests(machines, { add, remove }) {
  const groups = new Map();
  for (const machine of machines) {
    const { tags = [] } = machine;
    const left = tags.filter((tag) => tag !== remove && tag !== add);
    const wanted = add === undefined ? left : [...left, add].slice(-MAX_TAGS);
    if (wanted.length === tags.length && wanted.every((tag) => tags.includes(tag))) continue;
    const key = JSON.stringify(wanted);
    groups.set(key, { tags: wanted, machines: [...(groups.get(key)?.machines ?? []), machine] });
  }
  return [...groups.values()].flatMap(({ tags, machines: group }) =>
    targetsOf(group).map((target) => ({ ...target, tags })),
  );
}

function chunks(list) {
  const count = Math.ceil(list.length / MAX_TARGETS);
  return Array.from({ length: count }, (_, at) => list.slice(at * MAX_TARGETS, (at + 1) * MAX_TARGETS));
}
