// Compiles libs/events/src/drivers/redis/lua/*.lua into scripts.generated.ts beside that folder.
//
//   node scripts/build-lua.mjs            writes the generated module
//   node scripts/build-lua.mjs --check    exits 1 when the generated module is not what the sources give
//   node scripts/build-lua.mjs --dir D    works in D instead (D/lua/*.lua -> D/scripts.generated.ts)
//
// A script begins with a header of comment lines: its purpose, `-- NUMKEYS: n` (or `variadic`), one `-- KEYS[i] …` line
// a key, `-- ARGV[i] …`, `-- Returns …`. `--- include: name` is replaced by lua/includes/name.lua. Comments and blank
// lines are not sent to the server.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const args = process.argv.slice(2);
const check = args.includes('--check');
const dirAt = args.indexOf('--dir');
const base = dirAt >= 0 ? resolve(args[dirAt + 1] ?? '') : join(root, 'libs/events/src/drivers/redis');
const luaDir = join(base, 'lua');
const target = join(base, 'scripts.generated.ts');

const problems = [];
const INCLUDE = /^\s*---\s*include:\s*([A-Za-z0-9_-]+)\s*$/;

/** The source with its includes in place; a file is included once, however often it is asked for. */
function expand(file, seen, chain) {
  const lines = readFileSync(file, 'utf8').split(/\r?\n/);
  return lines.flatMap((line, at) => {
    const name = INCLUDE.exec(line)?.[1];
    if (name === undefined) return [line];
    const included = join(luaDir, 'includes', `${name}.lua`);
    const where = `${relative(base, file)}:${String(at + 1)}`;
    if (chain.includes(included)) {
      problems.push(`${where}: '${name}' includes itself`);
      return [];
    }
    if (seen.has(included)) return [];
    if (!existsSync(included)) {
      problems.push(`${where}: no lua/includes/${name}.lua`);
      return [];
    }
    seen.add(included);
    return expand(included, seen, [...chain, included]);
  });
}

const LONG_OPEN = /^\[(=*)\[/;

/** The text without comments, with every string literal as it was. */
function stripComments(text, file) {
  let out = '';
  let at = 0;
  const skipLong = (from, level) => {
    const close = `]${level}]`;
    const end = text.indexOf(close, from);
    if (end < 0) {
      problems.push(`${file}: a long bracket is never closed`);
      return text.length;
    }
    return end + close.length;
  };
  while (at < text.length) {
    const char = text[at];
    if (char === '-' && text[at + 1] === '-') {
      const long = LONG_OPEN.exec(text.slice(at + 2, at + 40));
      if (long) at = skipLong(at + 2 + long[0].length, long[1]);
      else {
        const end = text.indexOf('\n', at);
        at = end < 0 ? text.length : end;
      }
      continue;
    }
    const long = char === '[' ? LONG_OPEN.exec(text.slice(at, at + 40)) : null;
    if (long) {
      const end = skipLong(at + long[0].length, long[1]);
      if (text.slice(at, end).includes('\n')) {
        problems.push(`${file}: a long string over several lines cannot be compiled: blank lines in it would be lost`);
      }
      out += text.slice(at, end);
      at = end;
      continue;
    }
    if (char === "'" || char === '"') {
      let end = at + 1;
      while (end < text.length && text[end] !== char && text[end] !== '\n') end += text[end] === '\\' ? 2 : 1;
      if (text[end] !== char) problems.push(`${file}: a string is never closed`);
      out += text.slice(at, end + 1);
      at = end + 1;
      continue;
    }
    out += char;
    at += 1;
  }
  return out;
}

function compact(text) {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join('\n');
}

/** The number of keys that the header gives, checked against its KEYS[i] lines; null = variadic. */
function readKeys(file, source) {
  const header = [];
  for (const line of source.split(/\r?\n/)) {
    if (/^\s*$/.test(line)) continue;
    if (!/^\s*--/.test(line) || INCLUDE.test(line)) break;
    header.push(line.trim());
  }
  if (header.length === 0 || /^--\s*(NUMKEYS:|KEYS|ARGV|Returns)/.test(header[0] ?? '')) {
    problems.push(`${file}: the header does not begin with the script's purpose`);
  }
  if (!header.some((line) => /^--\s*Returns\b/i.test(line)))
    problems.push(`${file}: the header has no '-- Returns' line`);
  const said = header.map((line) => /^--\s*(?:NUM)?KEYS:\s*(\S+)/.exec(line)?.[1]).find((value) => value !== undefined);
  if (said === undefined) {
    problems.push(`${file}: the header has no '-- NUMKEYS: n' line (a number, or 'variadic')`);
    return null;
  }
  if (said === 'variadic') return null;
  const keys = Number(said);
  if (!Number.isInteger(keys) || keys < 0) {
    problems.push(`${file}: NUMKEYS must be a number or 'variadic', not '${said}'`);
    return null;
  }
  const listed = header.flatMap((line) => /^--\s*KEYS\[(\d+)\]/.exec(line)?.[1] ?? []).map(Number);
  for (let index = 1; index <= keys; index += 1) {
    if (!listed.includes(index))
      problems.push(`${file}: NUMKEYS is ${said}, but there is no '-- KEYS[${String(index)}]' line`);
  }
  for (const index of listed) {
    if (index > keys) problems.push(`${file}: '-- KEYS[${String(index)}]' is beyond NUMKEYS ${said}`);
  }
  return keys;
}

const camel = (name) => name.replace(/[-_]+([A-Za-z0-9])/g, (_, char) => char.toUpperCase());
const quote = (text) =>
  `'${text
    .replace(/\\/g, '\\\\')
    .replace(/'/g, "\\'")
    .replace(/\r/g, '\\r')
    .replace(/\n/g, '\\n')
    .replace(/\u2028/g, '\\u2028')
    .replace(/\u2029/g, '\\u2029')}'`;

const names = existsSync(luaDir)
  ? readdirSync(luaDir)
      .filter((name) => name.endsWith('.lua'))
      .sort()
  : [];
const entries = new Map();
for (const name of names) {
  const file = join(luaDir, name);
  const property = camel(name.slice(0, -'.lua'.length));
  if (!/^[A-Za-z][A-Za-z0-9]*$/.test(property))
    problems.push(`${name}: the file name gives no property name ('${property}')`);
  if (entries.has(property)) problems.push(`${name}: a second script named '${property}'`);
  const keys = readKeys(name, readFileSync(file, 'utf8'));
  const lua = compact(stripComments(expand(file, new Set(), [file]).join('\n'), name));
  if (lua === '') problems.push(`${name}: nothing but comments`);
  entries.set(property, `  ${property}: {\n    keys: ${String(keys)},\n    lua: ${quote(lua)},\n  },\n`);
}

if (problems.length > 0) {
  console.error(`build-lua: ${String(problems.length)} problem(s)\n${problems.map((text) => `  ${text}`).join('\n')}`);
  process.exit(1);
}

const body = entries.size === 0 ? '{}' : `{\n${[...entries.values()].join('')}}`;
const generated = `// Generated by scripts/build-lua.mjs from lua/*.lua. Do not edit: run 'npm run lua'.\nexport const SCRIPTS = ${body} as const;\n`;
const shown = relative(root, target);
const present = existsSync(target) ? readFileSync(target, 'utf8') : undefined;
const upToDate = present === generated || (present === undefined && entries.size === 0);

if (upToDate) console.log(`build-lua: ${shown} is up to date (${String(entries.size)} scripts)`);
else if (check) {
  console.error(`build-lua: ${shown} differs from its sources: run 'npm run lua' and commit the result`);
  process.exit(1);
} else {
  writeFileSync(target, generated);
  console.log(`build-lua: wrote ${shown} (${String(entries.size)} scripts)`);
}
