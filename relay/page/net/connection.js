// The WebSocket to the relay: opens it, sends hello and probes, detects its loss and reconnects.
//
// Passes on every message but probe replies and does not interpret it. Never queues a message that
// cannot be sent now: a bang that arrives late is worse than none.

import { decodeFromRelay, encode } from '../protocol/messages.js';
import { offeredSubprotocols } from '../protocol/token.js';
import { BackOff } from './back-off.js';

/** Timeout from the attempt to the open socket, in ms: a dead address may hang for minutes. */
const OPEN_TIMEOUT_MILLIS = 4000;

/** Timeout from the open socket to the welcome, in ms. The page comes from this relay, so its wire is known. On a
 * crowded network the welcome of a large bank takes seconds, and another attempt would begin it anew. */
const WELCOME_TIMEOUT_MILLIS = 10_000;

/** A relay that answers no probe for this long is gone, whatever the state of the socket. */
const PROBE_TIMEOUT_MILLIS = 6000;

/** The same after the network may have changed. */
const SUSPECT_TIMEOUT_MILLIS = 1500;

/** Minimum interval between probes, in ms; and the interval once this many in a row are unanswered. */
const MIN_PROBE_INTERVAL_MILLIS = 15;
const UNANSWERED_INTERVAL_MILLIS = 500;
const MANY_UNANSWERED = 8;

/** A timer that fires this late, in ms, means that the machine slept, not that the relay was silent. */
const SLEEP_MILLIS = 3000;

/**
 * @typedef {'connecting' | 'connected' | 'lost'} State `connecting` until the first welcome; `lost` after
 * that, while there is no connection.
 */

/**
 * @typedef {object} Platform What the connection needs of the browser; tests replace it.
 * @property {(url: string) => WebSocket} open
 * @property {() => number} nowMillis as performance.now()
 * @property {(run: () => void, millis: number) => any} setTimer
 * @property {(timer: any) => void} clearTimer
 * @property {() => number} random
 */

/** The URL of the relay's WebSocket for the page at `href`: a reverse proxy may add a path. */
export function socketUrl(href) {
  return new URL('.', href).href.replace(/^http/, 'ws');
}

/** @type {Platform} */
const browserPlatform = {
  open: (url) => new WebSocket(url, offeredSubprotocols(location.hash)),
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
  #platform;
  #backOff = new BackOff();
  #socket = null;
  #welcomed = false;
  #retryTimer = null;
  #tickTimer = null;
  /** When the attempt began or the connection was lost: the delay to the next attempt counts from here. */
  #since = 0;
  /** When the socket was opened; null before that. */
  #openedAt = null;
  #lastTick = 0;
  /** When the oldest unanswered probe was sent; null if there is none. */
  #unansweredSince = null;
  #unanswered = 0;
  /** Since when an answer is awaited that decides whether the relay is still there; null if it is not. */
  #suspectedSince = null;
  #lastProbe = -Infinity;

  /** @type {State} */
  state = 'connecting';

  /**
   * @param {string} url of the relay's WebSocket
   * @param {() => object} hello returns the first message of each connection
   * @param {object} clock a ClockEstimator, which decides when to probe and receives the exchanges
   * @param {object} on
   * @param {(state: State) => void} on.state
   * @param {() => void} on.failed An attempt ended without a welcome.
   * @param {(message: object, arrivedMicros: number) => void} on.message
   * @param {(reply: object, arrivedMicros: number) => void} on.probed after the clock has taken the exchange
   * @param {(problem: string) => void} on.invalid A message was invalid.
   * @param {Platform} platform
   */
  constructor(url, hello, clock, on, platform = browserPlatform) {
    this.#url = url;
    this.#hello = hello;
    this.#clock = clock;
    this.#on = on;
    this.#platform = platform;
  }

  /** Connects now, whatever the back-off: at the start, or when the network is back. */
  connect() {
    if (this.#socket) return;
    this.#platform.clearTimer(this.#retryTimer);
    this.#retryTimer = null;
    this.#since = this.#platform.nowMillis();
    this.#openedAt = null;
    this.#answered();
    this.#lastProbe = -Infinity;
    let socket;
    try {
      socket = this.#platform.open(this.#url);
    } catch {
      // The browser forbids the address. It may allow it later, so this is a failed attempt.
      this.#retry();
      return;
    }
    this.#socket = socket;
    socket.onopen = () => {
      this.#openedAt = this.#platform.nowMillis();
      this.send(this.#hello());
    };
    socket.onmessage = ({ data }) => this.#received(data, this.#platform.nowMillis() * 1000);
    // An error is always followed by a close.
    socket.onclose = () => this.#lost(socket);
    this.#lastTick = this.#since;
    this.#scheduleTick();
  }

  /** The network may have changed, or the machine has slept: a relay that does not answer soon is gone. */
  suspect() {
    if (!this.#socket) return this.connect();
    if (!this.#welcomed) return this.reconnect();
    const now = this.#platform.nowMillis();
    this.#suspectedSince ??= now;
    this.#probe(now);
    this.#scheduleTick();
  }

  /** The relay rejects this page, and will do so again: retries at the longest delay. */
  slowDown() {
    this.#backOff.exhaust();
    if (this.#retryTimer !== null) this.#retry();
  }

  /** Closes the connection and opens another at once, with a new hello. */
  reconnect() {
    this.#backOff.reset();
    const socket = this.#socket;
    this.#drop();
    socket?.close(1000);
    this.connect();
  }

  /** @returns {boolean} whether `message` was sent */
  send(message) {
    if (this.#socket?.readyState !== 1) return false;
    this.#socket.send(encode(message));
    return true;
  }

  #received(data, arrivedMicros) {
    this.#answered();
    const { message, problem } = decodeFromRelay(data);
    if (problem) this.#on.invalid(problem);
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

  /** Sends a probe when one is due, and drops a relay that does not answer. */
  #tick() {
    const now = this.#platform.nowMillis();
    const slept = now - this.#lastTick > SLEEP_MILLIS;
    this.#lastTick = now;
    if (!this.#welcomed) {
      const isLate =
        this.#openedAt === null
          ? now - this.#since >= OPEN_TIMEOUT_MILLIS
          : now - this.#openedAt >= WELCOME_TIMEOUT_MILLIS;
      if (isLate) return this.#giveUp();
    } else {
      if (slept && this.#unansweredSince !== null) this.#unansweredSince = now;
      const hasPassed = (since, limit) => since !== null && now - since >= limit;
      const isGone =
        hasPassed(this.#unansweredSince, PROBE_TIMEOUT_MILLIS) ||
        hasPassed(this.#suspectedSince, SUSPECT_TIMEOUT_MILLIS);
      if (isGone) return this.#giveUp();
      if (this.#probeDue(now) <= now) this.#probe(now);
    }
    this.#scheduleTick();
  }

  #probe(nowMillis) {
    // Read again, as close to the send as possible.
    const sent = Math.round(this.#platform.nowMillis() * 1000);
    if (!this.send({ type: 'probe', sent })) return;
    this.#clock.probeSent(sent);
    this.#lastProbe = nowMillis;
    this.#unanswered += 1;
    this.#unansweredSince ??= nowMillis;
  }

  #answered() {
    this.#unanswered = 0;
    this.#unansweredSince = null;
    this.#suspectedSince = null;
  }

  /** When the clock wants its next probe, but no faster than a slow network can carry. */
  #probeDue(nowMillis) {
    const interval = this.#unanswered < MANY_UNANSWERED ? MIN_PROBE_INTERVAL_MILLIS : UNANSWERED_INTERVAL_MILLIS;
    return Math.max(this.#clock.nextProbeAt(nowMillis * 1000) / 1000, this.#lastProbe + interval);
  }

  #scheduleTick() {
    if (!this.#socket) return;
    this.#platform.clearTimer(this.#tickTimer);
    const now = this.#platform.nowMillis();
    const probeIn = this.#welcomed ? this.#probeDue(now) - now : Infinity;
    // The timeouts are checked at each tick.
    const longest = this.#suspectedSince === null ? 1000 : 250;
    const wait = Math.min(longest, Math.max(1, probeIn));
    this.#tickTimer = this.#platform.setTimer(() => this.#tick(), wait);
  }

  #giveUp() {
    const socket = this.#socket;
    this.#lost(socket);
    socket.close();
  }

  #lost(socket) {
    if (socket !== this.#socket) return;
    // The delay counts from the loss of a connection, or from the start of a failed attempt.
    const failed = !this.#welcomed;
    if (!failed) this.#since = this.#platform.nowMillis();
    this.#drop();
    if (this.state === 'connected') this.#setState('lost');
    this.#retry();
    if (failed) this.#on.failed();
  }

  #drop() {
    if (this.#socket) this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket = null;
    this.#welcomed = false;
    this.#platform.clearTimer(this.#tickTimer);
  }

  #retry() {
    this.#platform.clearTimer(this.#retryTimer);
    const due = this.#since + this.#backOff.next(this.#platform.random);
    const wait = Math.max(0, due - this.#platform.nowMillis());
    this.#retryTimer = this.#platform.setTimer(() => this.connect(), wait);
  }

  #setState(state) {
    if (state === this.state) return;
    this.state = state;
    this.#on.state(state);
  }
}
