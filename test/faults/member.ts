import { startChild } from '../support/child.js';
import type { GuardedProcess } from '../support/guarded.js';
import type { MemberConfig } from './children/member.js';

export interface Got {
  readonly label: string;
  readonly payload: unknown;
  readonly type: string;
  readonly attempt: number;
  readonly redelivered: boolean;
}

/** A process with a bus of its own, and what it has said. */
export class Member {
  private constructor(
    readonly process: GuardedProcess,
    readonly instanceId: string,
  ) {}

  static async start(config: MemberConfig): Promise<Member> {
    const child = await startChild('test/faults/children/member.ts', { args: [JSON.stringify(config)] });
    const ready = await child.line(/^ready /);
    return new Member(child, ready.slice('ready '.length));
  }

  /** What a handler got, in order. */
  got(label: string): Got[] {
    return this.process.lines.filter((line) => line.startsWith(`got ${label} `)).map(readGot);
  }

  /** Payloads of what a handler finished. */
  done(label: string): number[] {
    return this.process.lines
      .filter((line) => line.startsWith(`done ${label} `))
      .map((line) => Number(line.split(' ')[2]));
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.process.exited;
  }
}

function readGot(line: string): Got {
  const [, label = '', payload = '', type = '', attempt, redelivered] = line.split(' ');
  return { label, payload: JSON.parse(payload), type, attempt: Number(attempt), redelivered: redelivered === 'true' };
}
