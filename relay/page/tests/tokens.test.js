// The design tokens: every theme has every colour, and texts have the contrast that WCAG asks for.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';

const STYLE = new URL('../style/', import.meta.url);
const TOKENS = readFileSync(new URL('tokens.css', STYLE), 'utf8');

/** The colours of a theme. @returns {Map<string, string>} */
function colorsOf(theme) {
  const block = new RegExp(`\\[data-theme="${theme}"\\] \\{([^}]*)\\}`).exec(TOKENS)[1];
  return new Map([...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name, color]) => [name, color]));
}

/** Relative luminance (WCAG 2.2). */
function luminance(color) {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const value = parseInt(color.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(a, b) {
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

for (const [theme, least] of [
  ['dark', 4.5],
  ['light', 4.5],
  ['contrast', 7],
]) {
  test(`${theme}: texts are legible on everything on which they stand`, () => {
    const colors = colorsOf(theme);
    for (const text of ['text', 'muted', 'accent-text', 'good', 'warn', 'bad']) {
      for (const ground of ['background', 'panel', 'raised', 'sunken']) {
        const ratio = contrast(colors.get(text), colors.get(ground));
        assert.ok(ratio >= least, `${text} on ${ground}: ${ratio.toFixed(2)}`);
      }
    }
    assert.ok(contrast(colors.get('on-accent'), colors.get('accent')) >= 4.5);
    // Of controls, and of what is not text, three suffice.
    for (const part of ['control-line', 'focus', 'accent']) {
      assert.ok(contrast(colors.get(part), colors.get('background')) >= 3, part);
    }
  });
}

test('every theme has the same tokens', () => {
  const names = [...colorsOf('dark').keys()];
  assert.ok(names.length > 20);
  for (const theme of ['light', 'contrast']) assert.deepEqual([...colorsOf(theme).keys()], names);
});

test('every token that is used exists', () => {
  const sheets = readdirSync(STYLE).map((file) => readFileSync(new URL(file, STYLE), 'utf8')).join('\n');
  const defined = new Set([...sheets.matchAll(/--([\w-]+):/g)].map(([, name]) => name));
  const used = [...sheets.matchAll(/var\(--([\w-]+)/g)].map(([, name]) => name);
  assert.deepEqual([...new Set(used.filter((name) => !defined.has(name)))], []);
});
