// The list of who is in the room.

import { LOOSE_MICROS } from '../state/sync-status.js';
import { formatMicros } from '../state/units.js';
import { element } from './dom.js';

const KIND_TEXTS = {
  window: 'window',
  headless: 'player',
  page: 'page',
  remote: 'remote',
  tutorial: 'tutorial client',
};

/**
 * @param {object[]} clients as the relay lists them
 * @param {number} total number of connected clients, listed or not
 * @param {number | null} ownId this client's id
 */
export function showRoster(clients, total, ownId) {
  element('total').textContent = total === 0 ? '' : String(total);
  element('nobody').hidden = total > 0;
  const rows = clients.map((client) => clientRow(client, client.id === ownId));
  if (total > clients.length && clients.length > 0) {
    const more = document.createElement('li');
    more.className = 'more';
    more.textContent = `and ${total - clients.length} more`;
    rows.push(more);
  }
  element('roster').replaceChildren(...rows);
}

function clientRow(client, isSelf) {
  const row = document.createElement('li');
  row.classList.toggle('self', isSelf);
  const [name, kind, sync] = ['name', 'kind', 'sync'].map((part) => {
    const span = document.createElement('span');
    span.className = part;
    row.append(span);
    return span;
  });
  name.textContent = client.name;
  kind.textContent = KIND_TEXTS[client.kind] ?? client.kind;
  const error = client.report?.clock_error_micros;
  if (client.straggler) {
    sync.textContent = 'starts late';
    sync.classList.add('warn');
  } else if (error !== undefined) {
    sync.textContent = `within ±${formatMicros(error)}`;
    sync.classList.add(error > LOOSE_MICROS ? 'warn' : 'good');
  }
  return row;
}
