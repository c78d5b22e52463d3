// The socket to the relay: opened, greeted, probed, watched, and opened again when it is lost.
//
// Knows messages, not what they mean to the room: all but the answers to its own hello and probes
// are handed on. Never queues what cannot be sent: a bang that arrives late is worse than none.

import { tokenIn } from './admission.js';
import { SUBPROTOCOL, decodeFromRelay, encode } from '../protocol/messages.js';

/** First wait after a loss at its longest, and the longest ever between two tries, in ms. */
const FIRST_WAIT_MILLIS = 450;
const LONGEST_WAIT_MILLIS = 5000;

/** After so many tries the wait grows no longer. */
const MANY_TRIES = 8;

/** A try that has not led to a welcome by then is given up: a dead address may hang for minutes. */
const WELCOME_MILLIS = 4000;

/** A relay that leaves probes unanswered for so long is gone, whatever the socket says. */
const SILENCE_MILLIS = 6000;

/** Least time between two probes; and between two of many that are all unanswered yet, in ms. */
const PROBE_GAP_MILLIS = 15;
const UNANSWERED_GAP_MILLIS = 500;
const MANY_UNANSWERED = 8;

/** A timer that fires so much too late says that the machine slept, not that the relay was silent. */
const NAP_MILLIS = 3000;

/**
 * When to try again: soon at first, then ever more patiently, each time somewhere in the upper
 * three quarters of the wait, so that a room full of clients does not return in one stroke.
 */
export class BackOff {
  #tries = 0;

  /** The wait from the last try's beginning, or from the loss, to the next try, in ms. */
  next(random) {
    const longest = Math.min(LONGEST_WAIT_MILLIS, FIRST_WAIT_MILLIS * 2 ** this.#tries);
    this.#tries = Math.min(this.#tries + 1, MANY_TRIES);
    return longest * (0.25 + 0.75 * random());
  }

  reset() {
    this.#tries = 0;
  }

  /** Makes the next wait one of the longest. */
  tire() {
    this.#tries = MANY_TRIES;
  }
}

/**
 * @typedef {'connecting' | 'connected' | 'lost'} State `connecting` until the first welcome ever;
 * from then on a connection that is not there is `lost`.
 */

/**
 * @typedef {object} Machine What the connection needs from around it; tests give it their own.
 * @property {(url: string, protocol: string) => WebSocket} open
 * @property {() => number} nowMillis as performance.now()
 * @property {(run: () => void, millis: number) => any} setTimer
 * @property {(timer: any) => void} clearTimer
 * @property {() => number} random
 */

/** What to offer in the handshake: the protocol, and the token if the page's address has one. */
export function offers(protocol, fragment) {
  const token = tokenIn(fragment);
  return token === null ? [protocol] : [protocol, `downbeat.token.${token}`];
}

/** The relay's WebSocket, beside the page at `href`: a proxy may have given the relay a path. */
export function socketUrl(href) {
  return new URL('.', href).href.replace(/^http/, 'ws');
}

/** @type {Machine} */
export const browserMachine = {
  open: (url, protocol) => new WebSocket(url, offers(protocol, location.hash)),
  nowMillis: () => performance.now(),
  setTimer: (run, millis) => setTimeout(run, millis),
  clearTimer: (timer) => clearTimeout(timer),
  random: Math.random,
};

export class Connection {
  #url;
  #hello;
  #clock;
  #on;
  #machine;
  #backOff = new BackOff();
  #socket = null;
  #welcomed = false;
  #retryTimer = null;
  #tickTimer = null;
  /** When the try, or what was lost, began; the start of the wait for the next try. */
  #since = 0;
  #lastTick = 0;
  /** When the oldest probe that nothing has answered since was sent; null if none is. */
  #unansweredSince = null;
  #unanswered = 0;
  #lastProbe = -Infinity;

  /** @type {State} */
  state = 'connecting';

  /**
   * @param {string} url of the relay's WebSocket
   * @param {() => object} hello makes the first message of each connection
   * @param {object} clock a ClockEstimator, which says when to probe and is told the answers
   * @param {object} on
   * @param {(state: State) => void} on.state
   * @param {() => void} on.failed A try has not led to a welcome.
   * @param {(message: object, arrivedMicros: number) => void} on.message
   * @param {(reply: object, arrivedMicros: number) => void} on.probed after the clock has been told
   * @param {(problem: string) => void} on.unreadable
   * @param {Machine} machine
   */
  constructor(url, hello, clock, on, machine = browserMachine) {
    this.#url = url;
    this.#hello = hello;
    this.#clock = clock;
    this.#on = on;
    this.#machine = machine;
  }

  /** Opens the connection now, whatever the back-off says: at the start, or when the network is back. */
  connect() {
    if (this.#socket) return;
    this.#machine.clearTimer(this.#retryTimer);
    this.#retryTimer = null;
    this.#since = this.#machine.nowMillis();
    this.#answered();
    this.#lastProbe = -Infinity;
    let socket;
    try {
      socket = this.#machine.open(this.#url, SUBPROTOCOL);
    } catch {
      // The browser forbids the address. It may allow it later, so this is a try that failed.
      this.#retry();
      return;
    }
    this.#socket = socket;
    socket.onopen = () => this.send(this.#hello());
    socket.onmessage = ({ data }) => this.#received(data, this.#machine.nowMillis() * 1000);
    // An error is always followed by a close.
    socket.onclose = () => this.#lost(socket);
    this.#lastTick = this.#since;
    this.#scheduleTick();
  }

  /** What keeps this page out will do so again in half a second: it is tried as seldom as ever. */
  beRefused() {
    this.#backOff.tire();
    if (this.#retryTimer !== null) this.#retry();
  }

  /** Leaves, and comes back at once with a new hello. */
  reconnect() {
    this.#backOff.reset();
    const socket = this.#socket;
    this.#drop();
    socket?.close(1000);
    this.connect();
  }

  /** @returns {boolean} whether `message` is on its way */
  send(message) {
    if (this.#socket?.readyState !== 1) return false;
    this.#socket.send(encode(message));
    return true;
  }

  #received(data, arrivedMicros) {
    this.#answered();
    const { message, problem } = decodeFromRelay(data);
    if (problem) this.#on.unreadable(problem);
    if (!message) return;
    if (message.type === 'probe_reply') {
      const { sent, received, replied } = message;
      this.#clock.observe({ sent, received, replied, arrived: arrivedMicros });
      this.#on.probed(message, arrivedMicros);
      this.#scheduleTick();
      return;
    }
    if (message.type === 'welcome') {
      this.#welcomed = true;
      this.#backOff.reset();
    }
    this.#on.message(message, arrivedMicros);
    if (message.type === 'welcome') {
      this.#setState('connected');
      this.#scheduleTick();
    }
  }

  /** Probes when the clock asks for it, and gives up a relay that does not answer. */
  #tick() {
    const now = this.#machine.nowMillis();
    const napped = now - this.#lastTick > NAP_MILLIS;
    this.#lastTick = now;
    if (!this.#welcomed) {
      if (now - this.#since >= WELCOME_MILLIS) return this.#giveUp();
    } else {
      if (napped && this.#unansweredSince !== null) this.#unansweredSince = now;
      if (this.#unansweredSince !== null && now - this.#unansweredSince >= SILENCE_MILLIS) {
        return this.#giveUp();
      }
      if (this.#probeDue(now) <= now) this.#probe(now);
    }
    this.#scheduleTick();
  }

  #probe(nowMillis) {
    // Read again, as close to the sending as can be.
    const sent = Math.round(this.#machine.nowMillis() * 1000);
    if (!this.send({ type: 'probe', sent })) return;
    this.#clock.probeSent(sent);
    this.#lastProbe = nowMillis;
    this.#unanswered += 1;
    this.#unansweredSince ??= nowMillis;
  }

  #answered() {
    this.#unanswered = 0;
    this.#unansweredSince = null;
  }

  /** When the clock wants its next probe, but never so fast that a slow network drowns in them. */
  #probeDue(nowMillis) {
    const gap = this.#unanswered < MANY_UNANSWERED ? PROBE_GAP_MILLIS : UNANSWERED_GAP_MILLIS;
    return Math.max(this.#clock.nextProbeAt(nowMillis * 1000) / 1000, this.#lastProbe + gap);
  }

  #scheduleTick() {
    if (!this.#socket) return;
    this.#machine.clearTimer(this.#tickTimer);
    const now = this.#machine.nowMillis();
    const probeIn = this.#welcomed ? this.#probeDue(now) - now : Infinity;
    // A second at most: that is also how often silence is looked for.
    const wait = Math.min(1000, Math.max(1, probeIn));
    this.#tickTimer = this.#machine.setTimer(() => this.#tick(), wait);
  }

  #giveUp() {
    const socket = this.#socket;
    this.#lost(socket);
    socket.close();
  }

  #lost(socket) {
    if (socket !== this.#socket) return;
    // A connection that held is lost now; a try that failed began a while ago.
    const failed = !this.#welcomed;
    if (!failed) this.#since = this.#machine.nowMillis();
    this.#drop();
    if (this.state === 'connected') this.#setState('lost');
    this.#retry();
    if (failed) this.#on.failed();
  }

  #drop() {
    if (this.#socket) this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket = null;
    this.#welcomed = false;
    this.#machine.clearTimer(this.#tickTimer);
  }

  #retry() {
    this.#machine.clearTimer(this.#retryTimer);
    const due = this.#since + this.#backOff.next(this.#machine.random);
    const wait = Math.max(0, due - this.#machine.nowMillis());
    this.#retryTimer = this.#machine.setTimer(() => this.connect(), wait);
  }

  #setState(state) {
    if (state === this.state) return;
    this.state = state;
    this.#on.state(state);
  }
}
