// The tags of one or several machines, as chips: a tag that only some of them have says how many.

import { tagsOf } from '../state/machine-edit.js';
import { make } from './dom.js';
import { button, textField } from './fields.js';

export class TagEditor {
  #chips = make('span.tag-chips');
  #onChange;
  #shown = '';

  /** @param {(change: {add?: string, remove?: string}) => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
    const add = (text) => {
      input.value = '';
      for (const tag of text.split(',')) if (tag.trim() !== '') onChange({ add: tag.trim() });
    };
    const { input } = textField('Add a tag', add, { placeholder: 'add', maxlength: 64 });
    this.element = make('div.tag-editor', {}, this.#chips, input);
  }

  /** @param {import('../state/machines.js').Machine[]} machines */
  show(machines) {
    const tags = tagsOf(machines);
    const described = JSON.stringify([tags, machines.length]);
    if (described === this.#shown) return;
    this.#shown = described;
    const chips = tags.map(([tag, count]) => {
      const isShared = count === machines.length;
      const text = isShared ? tag : `${tag} (${count})`;
      const remove = button('button', '', () => this.#onChange({ remove: tag }), { 'aria-label': `Remove ${tag}` });
      const chip = make('span.tag', { 'data-shared': String(isShared) }, text, remove);
      if (!isShared) {
        const all = button('button.tag-all', 'all', () => this.#onChange({ add: tag }), {
          title: `Add ${tag} to all ${machines.length}`,
        });
        chip.insertBefore(all, remove);
      }
      return chip;
    });
    this.#chips.replaceChildren(...chips);
  }
}
