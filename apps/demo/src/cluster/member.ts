import { fork, type ChildProcess } from 'node:child_process';
import { SUBSCRIBERS, type SubscriberName } from '../handlers/subscribers.js';
import type { CardEntry } from '../ledger/card-book.js';
import { Account, type Handled } from '../ledger/account.js';
import type { Condition } from '../ledger/condition.js';
import type { FromMember, ToMember } from './messages.js';

const MAIN = new URL('../main.js', import.meta.url);

export interface MemberHost {
  readonly redisUrl: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Is told whenever something about a member has changed. */
  readonly condition: Condition;
  /** Ends all waiting. */
  readonly signal: AbortSignal;
  handled(handled: Handled): void;
  card(entry: CardEntry): void;
  failed(error: Error): void;
}

/** One process of the application, as its parent sees it. */
export class Member {
  readonly accounts: Readonly<Record<SubscriberName, Account>>;
  url: string | undefined;
  fate: 'runs' | 'killed' | 'stopped' = 'runs';
  private readonly child: ChildProcess;
  private playing = false;
  private exited = false;
  private connected = true;

  constructor(
    readonly name: string,
    private readonly host: MemberHost,
  ) {
    this.accounts = Object.fromEntries(SUBSCRIBERS.map((each) => [each.name, new Account()])) as typeof this.accounts;
    this.child = fork(MAIN, ['--member'], {
      env: environmentOf(name, host),
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      // A Ctrl-C in the terminal is for the parent, which ends its members in order.
      detached: true,
    });
    this.child.on('message', (message: FromMember) => {
      this.receive(message);
      host.condition.changed();
    });
    // What a killed process had said before arrives before `disconnect`.
    this.child.once('disconnect', () => {
      this.connected = false;
      host.condition.changed();
    });
    this.child.once('exit', (code, signal) => {
      this.exited = true;
      if (this.fate === 'runs') host.failed(new Error(`${name} ended by itself: ${signal ?? `code ${String(code)}`}`));
      host.condition.changed();
    });
  }

  /** Resolves when it handles events. */
  async ready(): Promise<this> {
    await this.until(() => this.url !== undefined);
    return this;
  }

  /** Resolves when it has published these changes. */
  async play(from: number, to: number): Promise<void> {
    this.playing = true;
    const message: ToMember = { kind: 'play', from, to };
    this.child.send(message);
    await this.until(() => !this.playing);
  }

  /** SIGKILL: no clean-up whatsoever. Resolves when it is gone and everything that it had said has been heard. */
  async kill(): Promise<void> {
    this.fate = 'killed';
    this.child.kill('SIGKILL');
    await this.gone();
  }

  /** SIGTERM: Nest shuts it down. */
  async stop(): Promise<void> {
    if (this.exited) return;
    this.fate = 'stopped';
    this.child.kill('SIGTERM');
    await this.gone();
  }

  private receive(message: FromMember): void {
    switch (message.kind) {
      case 'ready':
        this.url = message.url;
        break;
      case 'handled':
        this.accounts[message.handled.subscriber as SubscriberName].add(message.handled);
        this.host.handled(message.handled);
        break;
      case 'card':
        this.host.card(message.entry);
        break;
      case 'played':
        this.playing = false;
        break;
      case 'failed':
        this.host.failed(new Error(`${this.name}: ${message.message}`));
        break;
    }
  }

  private until(reached: () => boolean): Promise<void> {
    return this.host.condition.until(reached, this.host.signal);
  }

  private gone(): Promise<void> {
    return this.host.condition.until(() => this.exited && !this.connected);
  }
}

/** This process's environment, but for what it says about buses. */
function environmentOf(name: string, { redisUrl, environment }: MemberHost): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([variable]) => !variable.startsWith('EVENT_'));
  return {
    ...Object.fromEntries(inherited),
    PORT: '0',
    EVENT_INSTANCE_ID: name,
    EVENT_DEFAULT_BACKEND: 'redis',
    EVENT_DEFAULT_URL: redisUrl,
    ...environment,
  };
}
