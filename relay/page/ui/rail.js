// The rail beside the pads: scrolls them by a drag, where a finger on a pad plays instead of scrolling.

import { element } from './dom.js';

/** Screens for fingers, as the style sheets tell them. */
const FINGERS = '(pointer: coarse), (max-width: 599px)';

export class Rail {
  #scroller = element('pads');
  #rail = element('rail');
  #thumb = this.#rail.firstElementChild;

  constructor() {
    const update = () => this.update();
    this.#scroller.addEventListener('scroll', update, { passive: true });
    new ResizeObserver(update).observe(this.#scroller);
    const drag = ({ clientY }) => {
      const { top, height } = this.#rail.getBoundingClientRect();
      const { scrollHeight, clientHeight } = this.#scroller;
      const share = (clientY - top - this.#thumb.offsetHeight / 2) / (height - this.#thumb.offsetHeight);
      this.#scroller.scrollTop = share * (scrollHeight - clientHeight);
    };
    this.#rail.addEventListener('pointerdown', (event) => {
      this.#rail.setPointerCapture(event.pointerId);
      drag(event);
    });
    this.#rail.addEventListener('pointermove', (event) => {
      if (this.#rail.hasPointerCapture(event.pointerId)) drag(event);
    });
  }

  /** The pads or their frame have changed. */
  update() {
    const { scrollHeight, clientHeight, scrollTop } = this.#scroller;
    // A mouse has a wheel.
    const isNeeded = matchMedia(FINGERS).matches && scrollHeight > clientHeight + 1;
    this.#rail.hidden = !isNeeded;
    if (!isNeeded) return;
    const size = Math.max(40, (clientHeight * clientHeight) / scrollHeight);
    const way = clientHeight - size;
    this.#thumb.style.height = `${size}px`;
    this.#thumb.style.transform = `translateY(${(way * scrollTop) / (scrollHeight - clientHeight)}px)`;
  }
}
