// The imports of the page: which folder may import from which, no cycles, no dead modules.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** For each folder, the other folders that it may import from. `main.js` may import from all. */
const ALLOWED = {
  protocol: [],
  clock: [],
  automation: [],
  audio: ['automation'],
  bank: [],
  state: ['automation', 'protocol'],
  net: ['protocol'],
  ui: ['state', 'protocol'],
  session: ['audio', 'automation', 'clock', 'net', 'protocol', 'state'],
};

/** The modules by path, each with the modules that it imports. A worker is imported by its URL. */
function readModules() {
  const paths = readdirSync(ROOT, { recursive: true })
    .map((path) => normalize(path))
    .filter((path) => path.endsWith('.js') && !path.startsWith('tests'));
  return new Map(
    paths.map((path) => {
      const text = readFileSync(join(ROOT, path), 'utf8').replace(/^\s*(\/\/|\*|\/\*).*$/gm, '');
      const imports = [...text.matchAll(/^import [^;]*from '([^']+)';/gms)].map(([, from]) => {
        assert.match(from, /^\.\.?\//, `${path} imports from outside the page: ${from}`);
        return normalize(join(dirname(path), from));
      });
      const workers = [...text.matchAll(/new URL\('([\w-]+\.js)', import\.meta\.url\)/g)];
      const urls = workers.map(([, file]) => normalize(join(dirname(path), file)));
      return [path, [...imports, ...urls]];
    }),
  );
}

const modules = readModules();
const folderOf = (path) => dirname(path);

test('all modules and all their imports are found', () => {
  assert.ok(modules.size > 30);
  assert.ok([...modules.values()].flat().length > 50);
  for (const [path, imports] of modules) {
    for (const imported of imports) assert.ok(modules.has(imported), `${path}: no ${imported}`);
  }
});

test('folders import only from the folders below them', () => {
  for (const [path, imports] of modules) {
    if (path === 'main.js') continue;
    const folder = folderOf(path);
    assert.ok(ALLOWED[folder], `${path} is in a folder without a rule`);
    for (const imported of imports) {
      const target = folderOf(imported);
      const isAllowed = target === folder || ALLOWED[folder].includes(target);
      assert.ok(isAllowed, `${path} imports ${imported}; ${folder} may import only ${ALLOWED[folder]}`);
    }
  }
});

test('there are no import cycles', () => {
  const done = new Set();
  const visit = (path, stack) => {
    if (done.has(path)) return;
    assert.ok(!stack.includes(path), `cycle: ${[...stack, path].join(' -> ')}`);
    for (const imported of modules.get(path)) visit(imported, [...stack, path]);
    done.add(path);
  };
  for (const path of modules.keys()) visit(path, []);
});

test('every module is reachable from main.js', () => {
  const reached = new Set();
  const visit = (path) => {
    if (reached.has(path)) return;
    reached.add(path);
    modules.get(path).forEach(visit);
  };
  visit('main.js');
  const unreached = [...modules.keys()].filter((path) => !reached.has(path));
  assert.deepEqual(unreached, []);
});

test('one module interprets actions and one interprets messages', () => {
  for (const [what, pattern, owner] of [
    ['actions', /switch \(action\.type\)/, join('session', 'actions.js')],
    ['messages', /switch \(message\.type\)/, join('session', 'session.js')],
  ]) {
    const found = [...modules.keys()].filter((path) =>
      pattern.test(readFileSync(join(ROOT, path), 'utf8')),
    );
    assert.deepEqual(found, [owner], what);
  }
});

test('the page loads every module ahead, and every style sheet', () => {
  const html = readFileSync(join(ROOT, 'index.html'), 'utf8');
  const linked = (relation) =>
    [...html.matchAll(new RegExp(`<link rel="${relation}" href="([^"]+)">`, 'g'))].map(([, path]) => normalize(path));
  // A worker loads its modules by itself.
  const ofPage = new Set();
  const visit = (path) => {
    if (ofPage.has(path) || path.endsWith('-worker.js')) return;
    ofPage.add(path);
    modules.get(path).forEach(visit);
  };
  visit('main.js');
  ofPage.delete('main.js');
  assert.deepEqual(linked('modulepreload'), [...ofPage].sort());
  const sheets = readdirSync(join(ROOT, 'style')).map((file) => join('style', file));
  assert.deepEqual(linked('stylesheet').sort(), sheets.sort());
});

test('the relay allows the inline script, and no other', () => {
  const html = readFileSync(join(ROOT, 'index.html'), 'utf8');
  const inline = [...html.matchAll(/<script>(.*?)<\/script>/gs)].map(
    ([, script]) => `'sha256-${createHash('sha256').update(script).digest('base64')}'`,
  );
  const policy = readFileSync(join(ROOT, '..', 'src', 'http', 'response.rs'), 'utf8');
  assert.deepEqual(policy.match(/'sha256-[^']*'/g), inline);
  // Whatever fails to load after it is noticed.
  assert.ok(html.indexOf('<script>') < html.indexOf('<link'));
});

test('the relay embeds every file of the page', () => {
  const table = readFileSync(join(ROOT, '..', 'src', 'http', 'page.rs'), 'utf8');
  const embedded = [...table.matchAll(/^ +"\/(\S*)" +(\w+) +"(\S+)"$/gm)].map(([, path, kind, file]) => {
    assert.equal(path, file === 'index.html' ? '' : file);
    assert.equal(kind.toLowerCase(), file.split('.').pop());
    return normalize(file);
  });
  const files = [...modules.keys(), ...readdirSync(join(ROOT, 'style')).map((file) => join('style', file))];
  assert.deepEqual(embedded.sort(), [...files, 'index.html', 'icon.svg'].sort());
});
