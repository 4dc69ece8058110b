import type { Clock, Timer } from '../../core/clock.js';
import { BackendUnavailableError, BusClosedError, isEventsError, UnsupportedError } from '../../core/errors.js';
import { messageOf } from '../../core/message-of.js';
import type { DriverWarning } from '../../ports/driver.js';
import type { Client, Clients } from './clients.js';
import { callScript, defineScripts, type Argument, type ScriptName } from './commands.js';
import { isConnectionError, isPassing } from './reply-errors.js';
import { serverProblems, serverVersion } from './server-check.js';

/** How long the start waits for the server, ms. */
export const CONNECT_TIMEOUT = 10_000;
/** How long a caller waits for a lost connection, ms. A blip is ridden out, an outage is told. */
export const GRACE = 2_000;
/** Between two signs of life, and how long one may take before the connection is taken for dead, ms. */
const PING_INTERVAL = 3_000;
const PING_TIMEOUT = 10_000;
/** Before something is tried again that failed, ms. */
const REST = 20;

export interface ConnectionHooks {
  /** The connection is there again after it was lost. Subscriptions are in place. */
  restored(): void;
  message(channel: string, message: string): void;
  readonly warn: (warning: DriverWarning) => void;
}

/**
 * The two connections of one bus. A command on a lost connection fails at once with `BackendUnavailableError`; who may
 * repeat it waits for `whenUp`.
 */
export class Connection {
  readonly commands: Client;
  readonly cluster: boolean;
  private readonly subscriber: Client;
  private readonly channels = new Set<string>();
  private waiting: (() => void)[] = [];
  private up = false;
  private upSince = 0;
  private opened = false;
  private closed = false;
  private restoring: Promise<void> | undefined;
  private lastError: unknown;
  private ping: Timer | undefined;

  constructor(
    clients: Clients,
    private readonly bus: string,
    private readonly clock: Clock,
    private readonly hooks: ConnectionHooks,
  ) {
    this.commands = clients.commands;
    this.subscriber = clients.subscriber;
    this.cluster = clients.cluster;
    defineScripts(this.commands);
  }

  /** @throws BackendUnavailableError within the connect timeout; UnsupportedError when the server is too old */
  async open(): Promise<void> {
    for (const client of [this.commands, this.subscriber]) {
      client.on('error', (error: unknown) => {
        this.lastError = error;
      });
      client.on('ready', () => {
        this.changed();
      });
      client.on('close', () => {
        this.changed();
      });
      client.on('end', () => {
        this.changed();
      });
      client.connect().catch((error: unknown) => {
        this.lastError = error;
      });
    }
    this.subscriber.on('message', (channel: string, message: string) => {
      this.hooks.message(channel, message);
    });
    if (!(await this.whenUp(CONNECT_TIMEOUT))) {
      this.disconnect();
      throw new BackendUnavailableError(
        `Bus '${this.bus}': Redis did not answer within ${String(CONNECT_TIMEOUT)} ms: ${messageOf(this.lastError ?? 'no reason given')}. Check the address, or start the server.`,
        { cause: this.lastError },
      );
    }
    await this.checkServer();
    this.opened = true;
    this.keepAlive();
  }

  /** How long the connection has been there without a break, ms. */
  get upFor(): number {
    return this.up ? this.clock.now() - this.upSince : 0;
  }

  get isUp(): boolean {
    return this.up;
  }

  /** Resolves true when the connection is there, false after `timeout` ms or when it was closed. */
  whenUp(timeout: number): Promise<boolean> {
    if (this.up) return Promise.resolve(true);
    if (this.closed) return Promise.resolve(false);
    return new Promise((resolve) => {
      const timer = this.clock.after(
        timeout,
        () => {
          resolve(false);
        },
        'awaited',
      );
      this.waiting.push(() => {
        timer.cancel();
        resolve(this.up);
      });
    });
  }

  /** Calls a script: keys first, then arguments. Not repeated. @throws BackendUnavailableError, the server's errors */
  script(name: ScriptName, args: readonly Argument[]): Promise<unknown> {
    return this.run((client) => callScript(client, name, args));
  }

  /** Calls a script again and again until it is answered; it may run twice. See `persist`. */
  persistScript(name: ScriptName, args: readonly Argument[], limit?: number): Promise<unknown> {
    return this.persist((client) => callScript(client, name, args), limit);
  }

  /** Runs a command. Not repeated. @throws BackendUnavailableError when it cannot be known whether it ran */
  async run<T>(command: (client: Client) => Promise<T>): Promise<T> {
    // A client may know of the loss before it says so.
    if (!this.up || this.commands.status !== 'ready') throw this.unavailable('not-stored');
    try {
      return await command(this.commands);
    } catch (error) {
      throw isConnectionError(error) ? this.unavailable('unknown', error) : error;
    }
  }

  /**
   * Runs a command that may run twice, again and again until it is answered; for `limit` ms where one is given.
   * @throws BusClosedError, the server's errors; with a limit BackendUnavailableError
   */
  async persist<T>(command: (client: Client) => Promise<T>, limit = Infinity): Promise<T> {
    const end = this.clock.now() + limit;
    for (;;) {
      if (this.closed) throw new BusClosedError(this.bus);
      try {
        return await this.run(command);
      } catch (error) {
        if (!isEventsError(error, 'BACKEND_UNAVAILABLE') && !isPassing(error)) throw error;
        const left = end - this.clock.now();
        if (left <= 0) throw error;
        await this.pause(error, left);
      }
    }
  }

  /** Waits a moment before something is tried again that failed. */
  rest(): Promise<void> {
    return new Promise((resolve) => {
      this.clock.after(REST, resolve, 'awaited');
    });
  }

  /** Resolves when messages of the channels arrive; stays in force over reconnects. */
  async subscribe(...channels: string[]): Promise<void> {
    const fresh = channels.filter((channel) => !this.channels.has(channel));
    if (fresh.length === 0) return;
    for (const channel of fresh) this.channels.add(channel);
    // What the connection loses meanwhile is subscribed again when it is restored.
    await this.persist(() => this.subscriber.subscribe(...fresh));
  }

  async unsubscribe(...channels: string[]): Promise<void> {
    for (const channel of channels) this.channels.delete(channel);
    if (this.up && channels.length > 0) await this.subscriber.unsubscribe(...channels).catch(() => undefined);
  }

  unavailable(outcome: 'not-stored' | 'unknown', cause: unknown = this.lastError): BackendUnavailableError {
    const what =
      outcome === 'unknown'
        ? 'the connection was lost before the answer came; it may or may not have happened'
        : 'there is no connection';
    return new BackendUnavailableError(`Bus '${this.bus}': Redis is not available: ${what}.`, { outcome, cause });
  }

  /** Closes what was opened here. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.ping?.cancel();
    this.wake();
    await Promise.all([this.commands, this.subscriber].map((client) => client.quit().catch(() => undefined)));
    this.disconnect();
  }

  /** Cuts the connections without a word. For the end of a process, and for tests. */
  disconnect(): void {
    this.closed = true;
    this.up = false;
    this.ping?.cancel();
    this.wake();
    // The client waits 2 s for the end of a socket, also for one that has ended.
    for (const client of [this.commands, this.subscriber]) if (client.status !== 'end') client.disconnect();
  }

  private changed(): void {
    const ready = this.commands.status === 'ready' && this.subscriber.status === 'ready';
    if (!ready) {
      if (this.up && !this.closed)
        this.hooks.warn({ cause: 'connection', message: 'the connection to Redis was lost; it is being restored' });
      this.up = false;
      return;
    }
    if (this.up || this.closed) return;
    this.restoring ??= this.restore().finally(() => {
      this.restoring = undefined;
    });
  }

  private async restore(): Promise<void> {
    try {
      if (this.channels.size > 0) await this.subscriber.subscribe(...this.channels);
    } catch (error) {
      this.lastError = error;
      await this.pause(error);
      this.restoring = undefined;
      this.changed();
      return;
    }
    if (this.commands.status !== 'ready' || this.subscriber.status !== 'ready') return;
    this.up = true;
    this.upSince = this.clock.now();
    this.wake();
    if (this.opened) this.hooks.restored();
  }

  private wake(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }

  private async pause(error: unknown, limit = PING_TIMEOUT): Promise<void> {
    this.lastError = error;
    await this.rest();
    if (!this.up) await this.whenUp(Math.min(limit, PING_TIMEOUT));
  }

  /** A server that is connected and silent is found out: without it nothing would end the wait for an answer. */
  private keepAlive(): void {
    this.ping = this.clock.after(PING_INTERVAL, () => {
      if (this.closed) return;
      if (!this.up) {
        this.keepAlive();
        return;
      }
      let answered = false;
      const ping = Promise.all([this.commands.ping(), this.subscriber.ping()]);
      const timer = this.clock.after(PING_TIMEOUT, () => {
        if (answered) return;
        this.hooks.warn({
          cause: 'connection',
          message: `Redis did not answer a PING within ${String(PING_TIMEOUT)} ms; reconnecting`,
        });
        for (const client of [this.commands, this.subscriber]) client.disconnect(true);
      });
      void ping
        .catch(() => undefined)
        .then(() => {
          answered = true;
          timer.cancel();
          if (!this.closed) this.keepAlive();
        });
    });
  }

  private async checkServer(): Promise<void> {
    const info = await this.persist((client) => client.info(), CONNECT_TIMEOUT);
    const version = serverVersion(info);
    if (version !== undefined && version < 7) {
      this.disconnect();
      throw new UnsupportedError(`Bus '${this.bus}': Redis ${String(version)} is too old; 7.0 or newer is needed.`);
    }
    const save = await this.run((client) => client.config('GET', 'save')).catch(() => undefined);
    for (const message of serverProblems(info, save?.[1])) this.hooks.warn({ cause: 'server-settings', message });
  }
}
