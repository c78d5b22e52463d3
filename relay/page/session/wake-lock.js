// Keeps the screen on while the page plays, where the browser offers that: on secure pages only.

export class WakeLock {
  #wakeLock;
  #isWanted = false;
  #isRequesting = false;
  #sentinel = null;

  /** @param {WakeLock | undefined} wakeLock the browser's */
  constructor(wakeLock = globalThis.navigator?.wakeLock) {
    this.#wakeLock = wakeLock;
  }

  get isOffered() {
    return this.#wakeLock !== undefined;
  }

  /** @param {boolean} isWanted whether the screen shall stay on */
  want(isWanted) {
    this.#isWanted = isWanted;
    if (isWanted) return this.refresh();
    this.#sentinel?.release().catch(() => {});
    this.#sentinel = null;
    return undefined;
  }

  /** The page is visible again: the browser has ended the lock while it was not. */
  async refresh() {
    if (!this.#isWanted || !this.isOffered || this.#isRequesting) return;
    if (this.#sentinel && !this.#sentinel.released) return;
    this.#isRequesting = true;
    try {
      this.#sentinel = await this.#wakeLock.request('screen');
    } catch {
      // Low battery, or the page is hidden: it is asked for again when the page is shown.
      this.#sentinel = null;
    }
    this.#isRequesting = false;
    if (!this.#isWanted) this.want(false);
  }
}
