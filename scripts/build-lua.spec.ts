import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cardinal-lua-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

const HEADER = `-- Settles an entry as dead.
-- NUMKEYS: 1
-- KEYS[1] the stream
-- Returns 1, or STALE.
`;

function write(name: string, text: string): void {
  mkdirSync(join(dir, 'lua/includes'), { recursive: true });
  writeFileSync(join(dir, 'lua', name), text);
}

function build(...args: string[]): { status: number | null; output: string } {
  const script = join(import.meta.dirname, 'build-lua.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, '--dir', dir, ...args], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] },
  });
  return { status, output: stdout + stderr };
}

const generated = (): string => readFileSync(join(dir, 'scripts.generated.ts'), 'utf8');

describe('build-lua', () => {
  it('has nothing to do without scripts', () => {
    expect(build().status).toBe(0);
    expect(build('--check').status).toBe(0);
  });

  it('compiles a script under its camel-cased name, with includes and without comments', () => {
    write('includes/fence.lua', '-- Whether it holds.\nlocal function fence() return 1 end\n');
    write('settle-dead.lua', `${HEADER}--- include: fence\n\n  return 'a--b' -- done\n--[[ long\n ]]\n`);
    expect(build()).toMatchObject({ status: 0 });
    expect(generated()).toContain(`  settleDead: {
    keys: 1,
    lua: 'local function fence() return 1 end\\nreturn \\'a--b\\'',
  },
`);
  });

  it('gives null for a variadic script', () => {
    write('many.lua', HEADER.replace('NUMKEYS: 1', 'NUMKEYS: variadic') + 'return 1\n');
    build();
    expect(generated()).toContain('keys: null');
  });

  it('finds drift', () => {
    write('one.lua', `${HEADER}return 1\n`);
    expect(build('--check').status).toBe(1);
    build();
    expect(build('--check').status).toBe(0);
    write('one.lua', `${HEADER}return 2\n`);
    expect(build('--check')).toMatchObject({ status: 1, output: expect.stringContaining('npm run lua') });
  });

  it.each([
    ['a header without a number of keys', HEADER.replace('-- NUMKEYS: 1\n', ''), "no '-- NUMKEYS: n' line"],
    ['a key that is not described', HEADER.replace('NUMKEYS: 1', 'NUMKEYS: 2'), "no '-- KEYS[2]' line"],
    ['a key beyond the number', HEADER.replace('NUMKEYS: 1', 'NUMKEYS: 0'), 'beyond NUMKEYS 0'],
    ['no word on what it returns', HEADER.replace(/-- Returns.*\n/, ''), "no '-- Returns' line"],
    ['a missing include', `${HEADER}--- include: nothing\n`, 'no lua/includes/nothing.lua'],
  ])('refuses %s', (_, header, problem) => {
    write('one.lua', `${header}return 1\n`);
    expect(build()).toMatchObject({ status: 1, output: expect.stringContaining(problem) });
  });
});
