// The plan of the room: machines stand where they stand, and are dragged there by pointer or moved by the arrow
// keys. Those without a place wait in the tray below.

import { arrange, inSeatOrder, placeAfter, placeAt } from '../state/plan.js';
import { element, make, setText } from './dom.js';

/** Most machines that a plan shows: of more, nobody could tell one from another. */
const MAX_TOKENS = 400;

/** How far a pointer moves before it drags, in pixels. */
const DRAG_PIXELS = 6;

/** How long after the last arrow key a place is sent, in ms; and how long a place waits to come back. */
const KEY_MILLIS = 400;
const SETTLE_MILLIS = 4000;

/** Up to so many machines have large tokens. */
const FEW = 60;

export class Plan {
  #on;
  #plan = element('plan');
  #tray = element('tray');
  /** @type {Map<string, Token>} */
  #tokens = new Map();
  #rows = [];

  /**
   * @param {object} on
   * @param {(key: string, how: 'only' | 'toggle') => void} on.choose
   * @param {(key: string) => boolean} on.isSelected
   * @param {(placed: {machine: object, place: {x: number, y: number}}[]) => void} on.place
   * @param {(machines: object[]) => void} on.number gives seats in this order
   */
  constructor(on) {
    this.#on = on;
    element('arrange').addEventListener('click', () => this.#arrange());
    element('number-seats').addEventListener('click', () => on.number(inSeatOrder(this.#numbered)));
  }

  /** @param {import('../state/machine-list.js').Row[]} rows */
  show(rows) {
    this.#rows = rows.filter(({ machine }) => machine.kind !== 'tutorial');
    const known = this.#tokens;
    this.#tokens = new Map();
    for (const row of this.#rows.slice(0, MAX_TOKENS)) {
      const { key } = row.machine;
      const token = known.get(key) ?? this.#create();
      token.show(row, this.#on.isSelected(key));
      this.#tokens.set(key, token);
      const parent = token.place ? this.#plan : this.#tray;
      if (token.element.parentElement !== parent && !token.isDragged) parent.append(token.element);
    }
    for (const [key, token] of known) if (!this.#tokens.has(key)) token.element.remove();
    const unplaced = [...this.#tokens.values()].filter(({ place }) => !place).length;
    const more = this.#rows.length - MAX_TOKENS;
    element('arrange').hidden = unplaced === 0;
    const waiting = unplaced === 0 ? 'Every machine has its place.' : 'Drag these to where they stand.';
    setText(element('tray-text'), more > 0 ? `${waiting} ${more} more are in the list.` : waiting);
    this.#plan.classList.toggle('crowded', this.#tokens.size > FEW);
  }

  /** Those who get a seat: all that are connected or have a place. */
  get #numbered() {
    const machines = this.#rows.map(({ machine }) => machine);
    return machines.filter(({ isAway, place, kind }) => (!isAway || place) && kind !== 'remote');
  }

  #arrange() {
    const machines = this.#rows.map(({ machine }) => machine);
    const unplaced = machines.filter(({ key, place }) => !place && !this.#tokens.get(key)?.place);
    this.#place(arrange(unplaced, machines.filter(({ place }) => place)));
  }

  #place(placed) {
    for (const { machine, place } of placed) this.#tokens.get(machine.key)?.move(place);
    this.#on.place(placed);
    this.show(this.#rows);
  }

  #create() {
    const token = new Token();
    token.element.addEventListener('pointerdown', (event) => this.#pressed(event, token));
    token.element.addEventListener('keydown', (event) => this.#keyed(event, token));
    token.element.addEventListener('click', ({ detail, ctrlKey, metaKey, shiftKey }) => {
      // A click without pointer comes from a screen reader.
      if (detail === 0) this.#on.choose(token.key, ctrlKey || metaKey || shiftKey ? 'toggle' : 'only');
    });
    return token;
  }

  #pressed(event, token) {
    if (event.button !== 0) return;
    const { pointerId, clientX: startX, clientY: startY } = event;
    token.element.setPointerCapture(pointerId);
    const box = token.element.getBoundingClientRect();
    // The token is held where it was touched.
    const middle = ({ clientX, clientY }) => ({
      x: clientX - startX + box.left + box.width / 2,
      y: clientY - startY + box.top + box.height / 2,
    });
    const move = (moved) => {
      const far = Math.hypot(moved.clientX - startX, moved.clientY - startY) > DRAG_PIXELS;
      if (token.isDragged || far) token.drag(this.#near(middle(moved)));
    };
    const end = (ended) => {
      token.element.removeEventListener('pointermove', move);
      for (const name of ['pointerup', 'pointercancel']) token.element.removeEventListener(name, end);
      const wasDragged = token.isDragged;
      token.drop();
      const place = this.#placeUnder(middle(ended));
      if (ended.type === 'pointercancel' || (wasDragged && !place)) this.show(this.#rows);
      else if (wasDragged) this.#place([{ machine: token.machine, place }]);
      else this.#on.choose(token.key, ended.ctrlKey || ended.metaKey || ended.shiftKey ? 'toggle' : 'only');
    };
    token.element.addEventListener('pointermove', move);
    for (const name of ['pointerup', 'pointercancel']) token.element.addEventListener(name, end);
  }

  /** The plan on the screen, without its border. */
  get #frame() {
    const { left, top } = this.#plan.getBoundingClientRect();
    const { clientLeft, clientTop, clientWidth: width, clientHeight: height } = this.#plan;
    return { left: left + clientLeft, top: top + clientTop, width, height };
  }

  /** The place under a point of the screen; undefined outside the plan. */
  #placeUnder({ x, y }) {
    const { left, top, width, height } = this.#frame;
    const [across, down] = [(x - left) / width, (y - top) / height];
    const isInside = across > -0.08 && across < 1.08 && down > -0.1 && down < 1.1;
    return isInside ? placeAt(across, down) : undefined;
  }

  /** The point of the screen to which a token snaps that is held at another one. */
  #near(point) {
    const place = this.#placeUnder(point);
    if (!place) return point;
    const { left, top, width, height } = this.#frame;
    return { x: left + place.x * width, y: top + place.y * height };
  }

  #keyed(event, token) {
    const { key, ctrlKey, altKey, metaKey } = event;
    if (key === ' ' || key === 'Enter') {
      this.#on.choose(token.key, key === ' ' ? 'toggle' : 'only');
    } else {
      const place = ctrlKey || altKey || metaKey ? undefined : placeAfter(key, token.place);
      if (!place) return;
      const hadPlace = token.place !== undefined;
      token.move(place);
      if (!hadPlace) {
        this.show(this.#rows);
        token.element.focus();
      }
      clearTimeout(token.timer);
      token.timer = setTimeout(() => this.#on.place([{ machine: token.machine, place: token.place }]), KEY_MILLIS);
    }
    event.preventDefault();
    event.stopPropagation();
  }
}

/** One machine on the plan. */
class Token {
  #seat = make('span.token-seat');
  #name = make('span.token-name');
  /** Where it was moved to, until that comes back from the relay. */
  #own;
  #ownUntil = 0;
  element = make('button.token', { type: 'button' }, this.#seat, this.#name);
  isDragged = false;
  /** Waits for the last arrow key. */
  timer = null;
  machine;

  get key() {
    return this.machine.key;
  }

  get place() {
    if (isSame(this.#own, this.machine.place) || performance.now() > this.#ownUntil) this.#own = undefined;
    return this.#own ?? this.machine.place;
  }

  show({ machine, troubles }, isSelected) {
    this.machine = machine;
    const { name, seat } = machine;
    setText(this.#seat, seat ? String(seat) : '');
    setText(this.#name, name);
    this.element.dataset.level = troubles[0]?.level ?? 'good';
    this.element.classList.toggle('selected', isSelected);
    this.element.setAttribute('aria-pressed', String(isSelected));
    const words = troubles[0] ? `${troubles[0].text}. ${troubles[0].advice}` : '';
    this.element.title = [name, words].filter(Boolean).join(': ');
    const { place } = this;
    const where = place
      ? `${Math.round(place.x * 100)} % from the left, ${Math.round(place.y * 100)} % from the front`
      : 'no place';
    const label = `${name}, ${seat ? `seat ${seat}` : 'no seat'}, ${where}. ${words} Arrow keys move it.`;
    this.element.setAttribute('aria-label', label);
    if (!this.isDragged) this.#draw(place);
  }

  /** It is moved there. */
  move(place) {
    this.#own = place;
    this.#ownUntil = performance.now() + SETTLE_MILLIS;
    this.#draw(place);
  }

  /** It is held at a point of the screen. */
  drag({ x, y }) {
    this.isDragged = true;
    this.element.classList.add('dragged');
    this.element.style.left = `${x}px`;
    this.element.style.top = `${y}px`;
  }

  /** It is not held any more. */
  drop() {
    this.isDragged = false;
    this.element.classList.remove('dragged');
    this.#draw(this.place);
  }

  #draw(place) {
    this.element.style.left = place ? `${place.x * 100}%` : '';
    this.element.style.top = place ? `${place.y * 100}%` : '';
  }
}

/** Whether two places are one: the relay rounds them. */
function isSame(a, b) {
  return a !== undefined && b !== undefined && Math.hypot(a.x - b.x, a.y - b.y) < 0.001;
}
