// What happens to the page as a whole: it is hidden and shown again, kept and restored by the browser, put to
// sleep with its machine, and moved from one network to another.

export class Presence {
  #connection;
  #outputWatch;
  #roomWatch;
  #wakeLock;

  /**
   * @param {object} parts
   * @param {import('../net/connection.js').Connection} parts.connection
   * @param {import('./output-watch.js').OutputWatch} parts.outputWatch
   * @param {import('./room-watch.js').RoomWatch} parts.roomWatch
   * @param {import('./wake-lock.js').WakeLock} parts.wakeLock
   */
  constructor({ connection, outputWatch, roomWatch, wakeLock }) {
    this.#connection = connection;
    this.#outputWatch = outputWatch;
    this.#roomWatch = roomWatch;
    this.#wakeLock = wakeLock;
  }

  /**
   * @param {Window} window
   * @param {Document} document
   */
  listen(window, document) {
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.#shown();
      this.#roomWatch.refresh();
    });
    // From the cache of pages, and after the browser had frozen it.
    window.addEventListener('pageshow', ({ persisted }) => persisted && this.#shown());
    document.addEventListener('resume', () => this.#shown());
    // Events, where they come, are earlier than a lost probe. A page is often told nothing: probes tell then.
    for (const event of ['online', 'offline']) {
      window.addEventListener(event, () => this.#connection.suspect());
    }
    window.navigator.connection?.addEventListener?.('change', () => this.#connection.suspect());
  }

  #shown() {
    this.#connection.suspect();
    this.#outputWatch.pageShown();
    this.#wakeLock.refresh();
  }
}
