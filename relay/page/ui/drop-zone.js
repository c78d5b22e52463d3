// Files are dropped anywhere on the page. A file that is dropped never replaces the page, whoever drops it.

import { KINDS, MAX_FILE_BYTES, formatBytes } from '../state/sound-files.js';
import { element, setText } from './dom.js';

/** How long after the last sign of a drag it counts as gone, in ms: browsers tell its end in many ways. */
const GONE_MILLIS = 250;

export class DropZone {
  #cover = element('drop');
  #timer = null;

  /**
   * @param {(files: File[]) => void} onFiles
   * @param {() => string | null} whyNot why files cannot be added
   */
  constructor(onFiles, whyNot) {
    const hasFiles = ({ dataTransfer }) => [...(dataTransfer?.types ?? [])].includes('Files');
    for (const name of ['dragenter', 'dragover']) {
      window.addEventListener(name, (event) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        const reason = whyNot();
        event.dataTransfer.dropEffect = reason === null ? 'copy' : 'none';
        this.#show(reason);
      });
    }
    window.addEventListener('drop', (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      this.#hide();
      if (whyNot() === null) onFiles([...event.dataTransfer.files]);
    });
  }

  #show(reason) {
    this.#cover.hidden = false;
    this.#cover.classList.toggle('denied', reason !== null);
    setText(element('drop-text'), reason ?? 'Drop to add the sounds');
    setText(element('drop-hint'), reason === null ? `${KINDS}, up to ${formatBytes(MAX_FILE_BYTES)} each` : '');
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#hide(), GONE_MILLIS);
  }

  #hide() {
    clearTimeout(this.#timer);
    this.#cover.hidden = true;
  }
}
