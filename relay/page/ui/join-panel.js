// How others join: a QR code of a link with the chosen rights, the room code, and both in large for a class.

import { formatCode } from '../protocol/room-code.js';
import { RIGHTS_TEXTS } from '../state/rights.js';
import { element, make, setText } from './dom.js';
import { segments } from './fields.js';

/** What most people get. */
const USUAL = 'player';

const WARNINGS = {
  conductor: 'Whoever has this link can change everything: machines, sounds, and who may play.',
  listener: 'Whoever has this link sounds with the others, and cannot play.',
};

/** The address of a link, without what is secret in it. */
function addressOf(url) {
  return url.replace(/#.*$/, '').replace(/\/$/, '');
}

export class JoinPanel {
  #askQr;
  /** @type {{code?: string, links: {rights: string, url: string}[]}} */
  #joining = { links: [] };
  #rights = USUAL;
  #address = '';
  #shownRights = '';
  #segments = null;
  #qr = { url: '', image: null };
  #isLarge = false;
  #count = 0;

  /** @param {(url: string) => void} askQr asks for the image of a link */
  constructor(askQr) {
    this.#askQr = askQr;
    element('join-address').addEventListener('change', ({ target }) => {
      this.#address = target.value;
      this.#draw();
    });
    element('show-projector').addEventListener('click', () => this.#showLarge(true));
    element('close-projector').addEventListener('click', () => this.#showLarge(false));
    element('copy-link').addEventListener('click', () => this.#copy());
    document.addEventListener('fullscreenchange', () => {
      if (!document.fullscreenElement) this.#showLarge(false);
    });
  }

  /** @param {{code?: string, links: object[]} | null} joining null if it is unknown */
  show(joining) {
    this.#joining = joining ?? { links: [] };
    // An image that did not come is asked for again.
    if (this.#qr.image === null) this.#qr.url = '';
    this.#draw();
  }

  /** The QR code of a link. @param {string | null} image */
  showQr(url, image) {
    // Another link may have been chosen meanwhile.
    if (url !== this.#qr.url) return;
    this.#qr = { url, image };
    this.#draw();
  }

  /** How many machines are here. */
  showCount(count) {
    this.#count = count;
    this.#drawLarge();
  }

  /** Leaves the large view. @returns {boolean} whether it was shown */
  close() {
    const wasLarge = this.#isLarge;
    if (wasLarge) this.#showLarge(false);
    return wasLarge;
  }

  get #links() {
    return this.#joining.links.filter(({ rights }) => rights === this.#rights);
  }

  /** The link that is shown. */
  get #link() {
    return this.#links.find(({ url }) => addressOf(url) === this.#address) ?? this.#links[0];
  }

  #draw() {
    const { code, links } = this.#joining;
    const kinds = [...new Set(links.map(({ rights }) => rights))];
    if (!kinds.includes(this.#rights)) this.#rights = kinds.includes(USUAL) ? USUAL : (kinds[0] ?? USUAL);
    this.#drawRights(kinds);
    const addresses = this.#links.map(({ url }) => addressOf(url));
    const select = element('join-address');
    select.hidden = addresses.length < 2;
    const options = addresses.map((address) => make('option', { value: address }, address));
    if (addresses.join() !== [...select.options].map(({ value }) => value).join()) select.replaceChildren(...options);
    const link = this.#link;
    if (link) select.value = addressOf(link.url);
    const warning = WARNINGS[this.#rights];
    element('join-warning').hidden = !link || warning === undefined;
    setText(element('join-warning'), warning ?? '');
    element('join-warning').dataset.level = this.#rights === 'conductor' ? 'warn' : '';
    element('no-joining').hidden = links.length > 0;
    element('join-actions').hidden = element('join-card').hidden = !link;
    setText(element('join-url'), link ? addressOf(link.url) : '');
    element('join-code-row').hidden = code === undefined;
    setText(element('join-code'), code === undefined ? '' : formatCode(code));
    if (link && link.url !== this.#qr.url) {
      this.#qr = { url: link.url, image: null };
      this.#askQr(link.url);
    }
    this.#showImage(element('join-qr'));
    this.#drawLarge();
  }

  #drawRights(kinds) {
    if (kinds.join() !== this.#shownRights) {
      this.#shownRights = kinds.join();
      this.#segments = segments('join-rights', kinds.map((kind) => [kind, RIGHTS_TEXTS[kind]]), (rights) => {
        this.#rights = rights;
        this.#draw();
      });
      element('join-rights').replaceChildren(this.#segments.element);
    }
    element('join-rights').hidden = kinds.length < 2;
    this.#segments?.show(this.#rights);
  }

  #showImage(target) {
    const { image } = this.#qr;
    target.hidden = image === null;
    if (image !== null && target.src !== image) target.src = image;
  }

  #showLarge(isLarge) {
    if (isLarge === this.#isLarge) return;
    this.#isLarge = isLarge;
    element('projector').hidden = !isLarge;
    element('page').inert = isLarge;
    if (isLarge) {
      this.#drawLarge();
      element('close-projector').focus({ preventScroll: true });
      // Not every browser fills the screen; the page is filled in any case.
      document.documentElement.requestFullscreen?.().catch(() => {});
    } else {
      if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
      element('show-projector').focus({ preventScroll: true });
    }
  }

  #drawLarge() {
    if (!this.#isLarge) return;
    const { code } = this.#joining;
    const link = this.#link;
    this.#showImage(element('projector-qr'));
    setText(element('projector-url'), link ? addressOf(link.url).replace(/^http:\/\//, '') : '');
    element('projector-code-row').hidden = code === undefined;
    setText(element('projector-code'), code === undefined ? '' : formatCode(code));
    setText(element('projector-count'), this.#count === 1 ? '1 machine is here' : `${this.#count} machines are here`);
  }

  /** Copies the link, or selects it where a page may not write to the clipboard. */
  async #copy() {
    const { url } = this.#link;
    const text = element('copy-link');
    try {
      await navigator.clipboard.writeText(url);
      text.textContent = 'Copied';
      setTimeout(() => (text.textContent = 'Copy the link'), 2000);
    } catch {
      const shown = element('join-url');
      shown.textContent = url;
      getSelection().selectAllChildren(shown);
    }
  }
}
