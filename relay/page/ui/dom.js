// Access to the elements of index.html, and creation of others.

/** @param {string} id @returns {HTMLElement} */
export const element = (id) => document.getElementById(id);

/**
 * Sets the text of an element, only if it differs: a screen reader would announce it again.
 * @param {HTMLElement} target
 * @param {string} text
 */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/**
 * Creates an element. Attributes that are undefined or false are left out; children that are strings become
 * text, never markup.
 *
 * @param {string} tag with its classes, as in `span.name`
 * @param {Record<string, string | number | boolean | undefined>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function make(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split('.');
  const made = document.createElement(name);
  if (classes.length > 0) made.className = classes.join(' ');
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    made.setAttribute(attribute, value === true ? '' : String(value));
  }
  made.append(...children);
  return made;
}

/** Whether keys typed at `target` are text or values of it, and no shortcuts. */
export function takesText(target) {
  const field = target.closest?.('input, select, textarea');
  return field !== null && field !== undefined && !['radio', 'range', 'checkbox', 'color'].includes(field.type);
}
