// Who a trigger or a value is for. Pure.

/** @typedef {{id: number | null, name: string, tags: string[]}} Self This client, as others address it. */

/**
 * Whether a target includes this client. Its lists add up; if all are empty, it is everyone.
 * @param {object | undefined} target
 * @param {Self} self
 */
export function includes(target, { id, name, tags }) {
  if (target === undefined) return true;
  const { names = [], tags: groups = [], clients = [], except } = target;
  if (except !== undefined && except === id) return false;
  const isUnlisted = names.length + groups.length + clients.length === 0;
  return (
    isUnlisted || names.includes(name) || clients.includes(id) || groups.some((tag) => tags.includes(tag))
  );
}

/**
 * How much later than its `play_at` this client plays a trigger, in µs; null if it does not.
 * @param {object} trigger
 * @param {Self} self
 */
export function delayMicros({ target, stagger_micros: stagger = 0 }, self) {
  if (!includes(target, self)) return null;
  const place = target?.clients?.indexOf(self.id) ?? -1;
  return stagger * Math.max(0, place);
}
