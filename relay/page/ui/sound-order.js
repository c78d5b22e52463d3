// Changes the order of sounds by dragging one by its handle.

import { make } from './dom.js';

/** How near to an edge of the list a drag scrolls it, in pixels, and by how much per frame. */
const EDGE_PIXELS = 40;
const SCROLL_PIXELS = 8;

export class SoundOrder {
  #list;
  #onMove;
  #marker = make('div.drop-marker', { 'aria-hidden': 'true' });

  /**
   * @param {() => import('./virtual-list.js').VirtualList<import('./sound-row.js').SoundItem>} list
   * @param {(hash: string, position: number) => void} onMove
   */
  constructor(list, onMove) {
    this.#list = list;
    this.#onMove = onMove;
  }

  /** A handle is pressed. @param {PointerEvent} event */
  drag(event, hash) {
    if (event.button !== 0) return;
    event.preventDefault();
    const handle = event.currentTarget;
    const viewport = handle.closest('.virtual');
    const row = handle.closest('.virtual-row');
    handle.setPointerCapture(event.pointerId);
    row.classList.add('dragged');
    viewport.firstChild.append(this.#marker);
    let { clientY } = event;
    let isDragged = true;
    const from = this.#list().items.findIndex(({ sound }) => sound.hash === hash);
    const frame = () => {
      if (!isDragged) return;
      const { top, bottom } = viewport.getBoundingClientRect();
      if (clientY < top + EDGE_PIXELS) viewport.scrollTop -= SCROLL_PIXELS;
      if (clientY > bottom - EDGE_PIXELS) viewport.scrollTop += SCROLL_PIXELS;
      const to = this.#list().indexAt(clientY);
      const edge = to > from ? to + 1 : to;
      this.#marker.style.transform = `translateY(${edge * this.#list().rowHeight}px)`;
      requestAnimationFrame(frame);
    };
    frame();
    const move = (moved) => ({ clientY } = moved);
    const end = ({ type }) => {
      isDragged = false;
      handle.removeEventListener('pointermove', move);
      for (const name of ['pointerup', 'pointercancel']) handle.removeEventListener(name, end);
      row.classList.remove('dragged');
      this.#marker.remove();
      const to = this.#list().indexAt(clientY);
      if (type === 'pointerup' && from >= 0 && to !== from) this.#onMove(hash, to);
    };
    handle.addEventListener('pointermove', move);
    for (const name of ['pointerup', 'pointercancel']) handle.addEventListener(name, end);
  }
}
