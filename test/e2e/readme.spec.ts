import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { createEventBus, type EventBus } from 'nestjs-cardinal';
import { EventsRecorder, waitFor } from 'nestjs-cardinal/testing';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript';
import { startGuarded } from '../support/guarded.js';
import { startRedis, type RedisHandle } from '../support/redis.js';

const root = resolve(import.meta.dirname, '../..');
const documents = ['README.md', 'CHANGELOG.md', 'libs/events/README.md', ...markdownIn('docs')];

/** A fenced block of a document. */
interface Block {
  readonly file: string;
  /** Of its first line of text, from 1. */
  readonly line: number;
  readonly language: string;
  readonly text: string;
  /** The comment before it, `<!-- with: … -->`, `<!-- runs -->`. */
  readonly note: string;
  /** The heading that it stands under. */
  readonly heading: string;
}

const blocks = documents.flatMap(blocksOf);
const snippets = blocks.filter(({ language }) => language === 'ts');
const examples = snippets.filter(({ note }) => note === 'runs');

describe('the documents', () => {
  it('have snippets', () => {
    expect(snippets.length).toBeGreaterThan(5);
    expect(examples.length).toBeGreaterThan(2);
    expect(blocks.filter(({ language }) => ['typescript', 'js', 'javascript'].includes(language))).toEqual([]);
  });

  it.each(documents)('%s: links lead somewhere', (file) => {
    const text = readFileSync(join(root, file), 'utf8').replaceAll(/^```[^]*?^```/gm, '');
    const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
    const broken = links.filter((target) => !/^https?:/.test(target) && !leadsSomewhere(file, target));
    expect(broken).toEqual([]);
  });

  it('name every variable, and no other', async () => {
    const error: unknown = await createEventBus({ env: { EVENT_NOPE: 'x' } }).catch((reason: unknown) => reason);
    const [, module = '', bus = ''] =
      /Accepted: ([A-Z_, ]+), and .* with one of ([A-Z_, ]+)\./.exec((error as Error).message) ?? [];
    const accepted = [...module.split(', '), ...bus.split(', ').map((field) => `EVENT_${field}`)];
    const rows = readFileSync(join(root, 'README.md'), 'utf8').matchAll(/^\| `(EVENT_[A-Z_]+)`/gm);
    expect(accepted.length).toBeGreaterThan(10);
    expect([...rows].map(([, name]) => name).sort()).toEqual(accepted.sort());
  });

  it('name every key and every script', () => {
    const redis = join(root, 'libs/events/src/drivers/redis');
    const text = readFileSync(join(root, 'docs/redis-keys.md'), 'utf8');
    const members = [
      ...['keys.ts', 'cards/card-keys.ts'].flatMap((file) => [
        ...readFileSync(join(redis, file), 'utf8').matchAll(/^ {2}(?:readonly )?(\w+)(?:: string;|\()/gm),
      ]),
    ]
      .map(([, name = '']) => name)
      .filter((name) => !['constructor', 'typeOfLog', 'tag', 'cardOf'].includes(name));
    const scripts = readdirSync(join(redis, 'lua')).filter((name) => name.endsWith('.lua'));
    expect(members.length).toBeGreaterThan(10);
    expect([...members, ...scripts].filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  });
});

describe('the snippets', () => {
  let check: (block: Block) => string[];
  beforeAll(() => {
    check = typeChecker(snippets);
  }, 120_000);

  it.each(snippets.map((block) => ({ place: placeOf(block), block })))('$place compiles', ({ block }) => {
    expect(check(block)).toEqual([]);
  });

  it.each(examples.map((block) => ({ place: placeOf(block), block })))('$place runs', async ({ block }) => {
    const compilerOptions = { ...options(), sourceMap: false };
    const { outputText } = ts.transpileModule(block.text, { compilerOptions, fileName: 'example.mts' });
    const env = Object.entries(process.env).filter(([name]) => !/^(EVENT_.*|NODE_OPTIONS|FORCE_COLOR)$/.test(name));
    const child = await startGuarded(process.execPath, ['--input-type=module', '-e', outputText], {
      cwd: root,
      env: Object.fromEntries(env),
      name: `the example of ${placeOf(block)}`,
    });
    const { code } = await child.exited;
    const next = blocks[blocks.indexOf(block) + 1];
    const said = next?.note === 'prints' ? next.text.trimEnd().split('\n') : [];
    expect([...child.lines].sort()).toEqual(said.sort());
    expect(code).toBe(0);
  });
});

describe('the wire protocol', () => {
  const file = 'docs/wire-protocol.md';
  const type = 'order.created';
  let server: RedisHandle;
  let foreign: Foreign;
  let bus: EventBus;

  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(async () => {
    if (server.private) await server.stop();
  });
  afterEach(async () => {
    await bus.close();
    await foreign.close();
  });

  /** A running process as the examples have it, and a program in another language. */
  async function start(): Promise<void> {
    const keyPrefix = `docs:${randomBytes(6).toString('hex')}:`;
    foreign = new Foreign(server.url, keyPrefix);
    const logger = { log: ignore, warn: ignore, error: ignore, debug: ignore };
    bus = await createEventBus({
      env: false,
      service: 'shop',
      instanceId: 'shop-1',
      url: server.url,
      keyPrefix,
      logger,
    });
  }

  const commands = (heading: string): string[][] =>
    blocks
      .filter((block) => block.file === file && block.heading === heading && block.language === 'redis')
      .map(({ text }) => text.trimEnd().split('\n'));
  const register = (name: string): string[] => (commands('Publish')[0] ?? []).map((line) => line.replace(type, name));

  it('publish', async () => {
    await start();
    const recorders = [new EventsRecorder(), new EventsRecorder()];
    await bus.subscribe('order.*', recorders[0]!.handler);
    await bus.subscribe(type, recorders[1]!.handler, { group: 'billing', name: 'billing' });
    await foreign.run(commands('Publish').flat());
    for (const recorder of recorders) {
      await recorder.count(2);
      expect(recorder.payloads).toEqual([{ orderId: 'o-1' }, { orderId: 'o-2' }]);
      const [first, second] = recorder.events.map(({ context }) => context);
      expect(first).toMatchObject({ id: '8f14e45f', type, source: 'python', sourceInstance: 'py-1', version: 1 });
      expect(second).toMatchObject({
        id: 'c9f0f895',
        version: 2,
        correlationId: '8f14e45f',
        causationId: '8f14e45f',
        headers: { tenant: 'acme' },
      });
    }
  });

  it('publish without a registration: handlers of exactly this type get it', async () => {
    await start();
    const recorder = new EventsRecorder();
    await bus.subscribe(type, recorder.handler, { group: 'billing', name: 'billing' });
    await foreign.run((commands('Publish')[1] ?? []).slice(0, 2));
    await recorder.count(1);
  });

  it('other entries', async () => {
    await start();
    const recorder = new EventsRecorder();
    await bus.subscribe('order.#', recorder.handler, { group: 'billing', name: 'billing', concurrency: 1 });
    await foreign.run(register(type));
    await foreign.run(commands('Other entries that are accepted').flat());
    await recorder.count(4);
    expect(recorder.payloads).toEqual([{ orderId: 'o-3' }, 'hello', { orderId: 'o-5' }, { a: '1', b: '2' }]);
    const contexts = recorder.events.map(({ context }) => context);
    expect(contexts.map(({ source }) => source)).toEqual(['/python', '/python', 'foreign', 'foreign']);
    expect(contexts.slice(0, 2).map(({ id }) => id)).toEqual(['45c48cce', 'd3d94468']);

    const [letter] = await waitFor(async () => {
      const rows = (await foreign.call('XRANGE', `events:{t:${type}}:dead`, '-', '+')) as [string, string[]][];
      return rows.length > 0 && rows;
    });
    const fields = letter![1].filter((_, at) => at % 2 === 0);
    const documented = /^## Dead letters$([^]*)/m.exec(readFileSync(join(root, file), 'utf8'))?.[1] ?? '';
    expect(fields).toEqual([...[...documented.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name), 'data']);
    expect(letter![1]).toEqual(expect.arrayContaining(['billing', 'undecodable', 'not JSON']));
  });

  it('subscribe as a group', async () => {
    await start();
    const [create, [subscribe = '', read = ''] = [], [acknowledge = ''] = [], declare] =
      commands('Subscribe as a group');
    await foreign.run([...register(type), ...create!, subscribe]);
    const { id } = await bus.publish(type, { orderId: 'o-1' });
    await waitFor(() =>
      foreign.heard.some(([channel, text]) => channel === `events:wake:${type}` && /^b \d+$/.test(text)),
    );
    const entries = entriesOf(await foreign.run([read]));
    expect(entries).toEqual([[expect.any(String), ['ce', `["${id}","shop","shop-1"]`, 'data', '{"orderId":"o-1"}']]]);
    expect(await foreign.run([acknowledge.replace('<entry>', entries[0]![0])])).toBe(1);

    expect(await foreign.run(declare!)).toBe(1);
    await bus.publish('order.sent');
    await waitFor(() =>
      foreign.heard.some(([channel, text]) => channel === 'events:news' && text === 'type order.sent'),
    );
    expect(entriesOf(await foreign.run([read.replace(type, 'order.sent')]))).toHaveLength(1);
  });

  it('send to one process', async () => {
    await start();
    const recorder = new EventsRecorder();
    await bus.subscribe('note.*', recorder.handler);
    const [lines = []] = commands('Send to one process');
    expect(await foreign.run(lines.slice(0, 1))).toBe(1);
    await foreign.run(lines);
    await recorder.count(1);
    expect(recorder.last).toMatchObject({
      payload: { text: 'hello' },
      context: { id: '6512bd43', type: 'note.written', mode: 'unicast' },
    });
  });

  it('send to one of many', async () => {
    await start();
    const recorder = new EventsRecorder();
    await bus.subscribe('job.*', recorder.handler);
    await foreign.run([...register('job.wanted'), ...commands('Send to one of many').flat()]);
    await recorder.count(1);
    expect(recorder.last).toMatchObject({ payload: { job: 1 }, context: { id: 'c20ad4d7', mode: 'anycast' } });
  });

  it('ask', async () => {
    await start();
    await bus.subscribe('order.price', ({ quantity }: { quantity: number }) => quantity * 12);
    await foreign.run(commands('Ask').flat());
    const said = blocks.find((block) => block.file === file && block.heading === 'Ask' && block.language === 'text');
    await waitFor(() => foreign.heard.length > 0);
    expect(foreign.heard).toEqual([['events:to:py-1', said?.text]]);
  });

  it('answer', async () => {
    await start();
    const [join = [], reply = [], leave = []] = commands('Answer');
    await foreign.run(join);
    await waitFor(async () => (await foreign.call('HGET', 'events:{meta}:instances', 'py-1')) !== null);
    const asked = bus.publishAndWait('stock.of', { sku: 'A1' }, { timeout: 5_000 });
    const [, message] = await waitFor(() => foreign.heard.find(([, text]) => text.startsWith('q\n')));
    const said = blocks.find((block) => block.file === file && block.heading === 'Answer' && block.language === 'text');
    const shape = (text: string): string => text.replace(/,\d+,"\[\\"[^"]*\\"/, ',<ms>,"[\\"<id>\\"');
    expect(shape(message)).toBe(shape(said?.text ?? ''));
    await foreign.run(reply);
    expect(await asked).toBe(7);
    await foreign.run(leave);
    await expect(bus.publishAndWait('stock.of', {}, { timeout: 5_000 })).rejects.toMatchObject({ code: 'NO_HANDLER' });
  });
});

/** A program in another language: types the commands of the documents into a client, under a key prefix of its own. */
class Foreign {
  /** Messages, as [channel, text]. */
  readonly heard: [string, string][] = [];
  private readonly client: Redis;
  private readonly subscriber: Redis;

  constructor(
    url: string,
    private readonly prefix: string,
  ) {
    // Version 2 of the protocol, so that replies are those that redis-cli shows.
    this.client = new Redis(url, { protocol: 2 });
    this.subscriber = new Redis(url, { protocol: 2 });
    this.subscriber.on('message', (channel: string, text: string) => {
      this.heard.push([channel.replace(prefix, 'events:'), text]);
    });
  }

  /** Gives the reply of the last command. */
  async run(lines: readonly string[]): Promise<unknown> {
    let reply: unknown = null;
    for (const line of lines) {
      const [seconds, micros] = await this.client.time();
      const now = String(Number(seconds) * 1000 + Math.floor(Number(micros) / 1000));
      const number = typeof reply === 'number' || typeof reply === 'string' ? String(reply) : '0';
      const [name = '', ...args] = splitCommand(line.replaceAll('<now>', now).replaceAll('<number>', number));
      reply = await this.call(name, ...args);
    }
    return reply;
  }

  async call(name: string, ...args: string[]): Promise<unknown> {
    const own = args.map((arg) => arg.replace(/^events:/, this.prefix));
    if (name === 'SUBSCRIBE') return this.subscriber.subscribe(...own);
    if (name === 'UNSUBSCRIBE') return this.subscriber.unsubscribe(...own);
    return this.client.call(name, ...own);
  }

  async close(): Promise<void> {
    const keys = await this.client.keys(`${this.prefix}*`);
    for (const key of keys) await this.client.del(key);
    this.client.disconnect();
    this.subscriber.disconnect();
  }
}

/** The words of a line as redis-cli reads them: bare, in single quotes, or in double quotes with escapes. */
function splitCommand(line: string): string[] {
  const words = line.match(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\S+/g) ?? [];
  return words.map((word) => {
    if (word.startsWith("'")) return word.slice(1, -1).replaceAll("\\'", "'");
    if (word.startsWith('"')) return JSON.parse(word) as string;
    return word;
  });
}

function entriesOf(reply: unknown): [string, string[]][] {
  return (reply as [string, [string, string[]][]][] | null)?.[0]?.[1] ?? [];
}

function ignore(): void {
  // Nobody reads the log.
}

function markdownIn(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.md'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((file) => !file.startsWith(join('docs', 'api')))
    .sort();
}

function blocksOf(file: string): Block[] {
  const found: Block[] = [];
  let open: { language: string; line: number; lines: string[] } | undefined;
  let note = '';
  let heading = '';
  for (const [at, text] of readFileSync(join(root, file), 'utf8').split('\n').entries()) {
    const fence = /^```(\w*)/.exec(text);
    if (open !== undefined) {
      if (fence === null) {
        open.lines.push(text);
        continue;
      }
      const { language, line, lines } = open;
      found.push({ file, line, language, text: [...lines, ''].join('\n'), note, heading });
      open = undefined;
      note = '';
    } else if (fence !== null) {
      open = { language: fence[1] ?? '', line: at + 2, lines: [] };
    } else if (text.trim() !== '') {
      note = /^<!-- (.*) -->$/.exec(text)?.[1] ?? '';
      heading = /^#+ (.*)$/.exec(text)?.[1] ?? heading;
    }
  }
  if (open !== undefined) throw new Error(`${file}:${open.line - 1}: a block is never closed`);
  return found;
}

function placeOf({ file, line }: Block): string {
  return `${file}:${line}`;
}

function leadsSomewhere(file: string, target: string): boolean {
  const [path = '', anchor] = target.split('#');
  const to = path === '' ? join(root, file) : resolve(root, dirname(file), path);
  if (!existsSync(to)) return false;
  if (anchor === undefined) return true;
  const headings = readFileSync(to, 'utf8').matchAll(/^#+ (.*)$/gm);
  const slug = (text: string): string =>
    text
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-');
  return [...headings].some(([, text = '']) => slug(text) === anchor);
}

function options(): ts.CompilerOptions {
  const path = join(root, 'tsconfig.json');
  const { config } = ts.readConfigFile(path, (name) => ts.sys.readFile(name)) as { config: object };
  return ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, root, {}, path).options;
}

/** Checks the blocks together, each as a module of its own, against the source of the library. */
function typeChecker(all: readonly Block[]): (block: Block) => string[] {
  const nameOf = (block: Block): string =>
    join(root, 'test/e2e', `${block.file.replaceAll('/', '.')}.${block.line}.ts`);
  const texts = new Map(all.map((block) => [nameOf(block), textOf(block)]));
  const host = ts.createCompilerHost(options());
  const original = { ...host };
  host.fileExists = (name) => texts.has(name) || original.fileExists(name);
  host.readFile = (name) => texts.get(name) ?? original.readFile(name);
  const program = ts.createProgram({ rootNames: [...texts.keys()], options: options(), host });
  return (block) => {
    const source = program.getSourceFile(nameOf(block));
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return found.map(({ messageText, start = 0 }) => {
      const line = block.line + (source?.getLineAndCharacterOfPosition(start).line ?? 0);
      return `${block.file}:${line}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
    });
  };
}

/** With what its comment declares, on the first line, so that lines keep their numbers. */
function textOf({ note, text }: Block): string {
  return `export {}; ${note.startsWith('with: ') ? note.slice('with: '.length) : ''} ${text}`;
}
