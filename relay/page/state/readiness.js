// On how many machines each sound is ready, from their reports.
//
// Pure.

/**
 * @param {import('./machines.js').Machine[]} players
 * @param {{bank: number, sounds: number}} standard the number of the bank, and how many sounds it has
 * @returns {(name: string) => {ready: number, of: number}}
 */
export function readinessOf(players, { bank, sounds }) {
  let counted = 0;
  /** How many of them miss a sound, by its name. */
  const misses = new Map();
  for (const { report } of players) {
    // The numbers begin anew with each start of the relay: another number is that of another bank.
    if (report?.ready === undefined || (report.bank ?? bank) !== bank) continue;
    const { ready, missing = [] } = report;
    // A report lists the first names only. Where it lists fewer than are missing, any sound may be.
    if (missing.length < sounds - ready) continue;
    counted += 1;
    for (const name of missing) misses.set(name, (misses.get(name) ?? 0) + 1);
  }
  return (name) => ({ ready: counted - (misses.get(name) ?? 0), of: players.length });
}
