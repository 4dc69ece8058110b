import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { onCleanup } from './cleanup.js';
import { waitUntil } from './wait.js';

/** A command as it passes: name in lower case, then its first arguments, as latin1. */
export type PassingCommand = readonly string[];
export type CommandMatch = (command: PassingCommand) => boolean;

/** How many words of a command a match gets to see. */
const WORDS = 8;
const MESSAGE = Buffer.from('*3\r\n$7\r\nmessage\r\n');

/** Cuts a byte stream into RESP2 values. */
class Frames {
  private rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): Buffer[] {
    const data = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    const frames: Buffer[] = [];
    let at = 0;
    for (let end = frameEnd(data, at); end > 0; end = frameEnd(data, at)) {
      frames.push(data.subarray(at, end));
      at = end;
    }
    this.rest = data.subarray(at);
    return frames;
  }
}

/** Where the value that begins at `at` ends; -1 while bytes are missing. */
function frameEnd(data: Buffer, at: number): number {
  const eol = data.indexOf('\r\n', at);
  if (eol < 0) return -1;
  const kind = data[at];
  const next = eol + 2;
  if (kind !== 0x24 && kind !== 0x2a) return next;
  const size = Number(data.toString('latin1', at + 1, eol));
  if (size < 0) return next;
  if (kind === 0x24) return data.length < next + size + 2 ? -1 : next + size + 2;
  let end = next;
  for (let index = 0; index < size; index += 1) {
    end = frameEnd(data, end);
    if (end < 0) return -1;
  }
  return end;
}

function words(frame: Buffer): string[] {
  const found: string[] = [];
  let at = frame.indexOf('\r\n') + 2;
  while (at < frame.length && found.length < WORDS) {
    const eol = frame.indexOf('\r\n', at);
    const size = Number(frame.toString('latin1', at + 1, eol));
    found.push(frame.toString('latin1', eol + 2, eol + 2 + Math.min(size, 200)));
    at = eol + 2 + size + 2;
  }
  if (found[0] !== undefined) found[0] = found[0].toLowerCase();
  return found;
}

interface Cut {
  readonly match: CommandMatch;
  /** 'reply': the server gets the command, the client never hears of it. 'command': not even the server gets it. */
  readonly lose: 'reply' | 'command';
  readonly done: () => void;
}

class Link {
  private readonly commands = new Frames();
  private readonly replies = new Frames();
  /** It carries a subscription. */
  subscribed = false;
  private sent = 0;
  private received = 0;
  /** The reply after which, and with which, everything ends. */
  private last = Infinity;
  private lost: (() => void) | undefined;

  constructor(
    private readonly proxy: RedisProxy,
    private readonly client: Socket,
    private readonly server: Socket,
  ) {
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', () => this.cut());
      socket.on('close', () => this.cut());
    }
    client.on('data', (chunk) => this.fromClient(chunk));
    server.on('data', (chunk) => this.fromServer(chunk));
  }

  hold(held: boolean): void {
    for (const socket of [this.client, this.server]) {
      if (held) socket.pause();
      else socket.resume();
    }
  }

  cut(): void {
    this.client.destroy();
    this.server.destroy();
    this.proxy.links.delete(this);
    this.lost?.();
    this.lost = undefined;
  }

  private fromClient(chunk: Buffer): void {
    for (const frame of this.commands.push(chunk)) {
      // What is sent after a command whose reply gets lost never arrives.
      if (this.last !== Infinity) return;
      const passing = words(frame);
      if (passing[0] === 'subscribe') this.subscribed = true;
      const cut = this.proxy.match(passing);
      if (cut?.lose === 'command') {
        this.cut();
        cut.done();
        return;
      }
      if (cut) {
        this.last = this.sent;
        this.lost = cut.done;
      }
      this.sent += 1;
      this.server.write(frame);
    }
  }

  private fromServer(chunk: Buffer): void {
    for (const frame of this.replies.push(chunk)) {
      if (frame.subarray(0, MESSAGE.length).equals(MESSAGE)) {
        if (!this.proxy.drops()) this.client.write(frame);
        continue;
      }
      if (this.received === this.last) {
        this.cut();
        return;
      }
      this.received += 1;
      this.client.write(frame);
    }
  }
}

/**
 * Stands between clients and a Redis server (RESP2), and loses things: the reply of a chosen command, messages of
 * subscriptions, whole connections.
 */
export class RedisProxy {
  /** @internal */
  readonly links = new Set<Link>();
  /** Messages of subscriptions that were passed on, and dropped. */
  readonly messages = { passed: 0, dropped: 0 };
  private readonly cuts = new Set<Cut>();
  private dropping: () => boolean = () => false;
  private refusing: (() => boolean) | undefined;
  private held = false;

  private constructor(
    private readonly listener: Server,
    readonly port: number,
  ) {}

  static async start(target: { readonly host: string; readonly port: number }): Promise<RedisProxy> {
    const listener = createServer({ pauseOnConnect: true });
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const proxy = new RedisProxy(listener, (listener.address() as AddressInfo).port);
    listener.on('connection', (client) => {
      if (proxy.refusing?.() === true) {
        client.destroy();
        return;
      }
      const link = new Link(proxy, client, connect(target));
      proxy.links.add(link);
      if (!proxy.held) client.resume();
    });
    onCleanup(() => proxy.close());
    return proxy;
  }

  get url(): string {
    return `redis://127.0.0.1:${String(this.port)}`;
  }

  /**
   * Cuts the connection on which the next matching command comes: after the server has carried it out and before its
   * reply gets through, or before the server gets it. Resolves when that has happened; `cancel` takes it back.
   */
  loseNext(match: CommandMatch, lose: 'reply' | 'command' = 'reply'): { done: Promise<void>; cancel: () => void } {
    let cancel = (): void => {};
    const done = new Promise<void>((resolve) => {
      const cut: Cut = { match, lose, done: resolve };
      this.cuts.add(cut);
      cancel = () => {
        this.cuts.delete(cut);
        resolve();
      };
    });
    return { done, cancel };
  }

  /** Which messages of subscriptions get lost from now on. */
  dropMessages(decide: () => boolean): void {
    this.dropping = decide;
  }

  /** Ends the connections that are open now; new ones are accepted. */
  cutAll(): void {
    for (const link of [...this.links]) link.cut();
  }

  /** Ends the connections that carry subscriptions, and returns how many. */
  cutSubscribers(): number {
    const links = this.subscribers;
    for (const link of links) link.cut();
    return links.length;
  }

  /** A process subscribes when all its connections are there: from then on it misses nothing. */
  async subscribed(): Promise<void> {
    await waitUntil('a subscription', () => this.subscribers.length > 0);
  }

  private get subscribers(): Link[] {
    return [...this.links].filter((link) => link.subscribed);
  }

  /** New connections are closed at once, where `when` says so. */
  refuse(when: (() => boolean) | undefined): void {
    this.refusing = when;
  }

  /** Passes nothing on, and keeps it. */
  hold(held: boolean): void {
    this.held = held;
    for (const link of this.links) link.hold(held);
  }

  async close(): Promise<void> {
    this.cutAll();
    await new Promise<void>((resolve) => this.listener.close(() => resolve()));
  }

  /** @internal */
  match(command: PassingCommand): Cut | undefined {
    for (const cut of this.cuts) {
      if (!cut.match(command)) continue;
      this.cuts.delete(cut);
      return cut;
    }
    return undefined;
  }

  /** @internal */
  drops(): boolean {
    const dropped = this.dropping();
    this.messages[dropped ? 'dropped' : 'passed'] += 1;
    return dropped;
  }
}

/** Matches a command by name, and by its key where one is given. */
export function command(name: string, key?: string): CommandMatch {
  return (args) => args[0] === name && (key === undefined || args.includes(key));
}
