import { startChild } from '../support/child.js';
import type { GuardedProcess } from '../support/guarded.js';
import type { CardMemberConfig } from './children/card-member.js';
import { SINK, TOPIC } from './cards-kit.js';

export interface Got {
  readonly card: string;
  readonly number: number;
  readonly attempt: number;
  readonly token: bigint;
  readonly sequence: string;
}

interface Done {
  readonly card: string;
  readonly number: number;
  /** Of the sink. */
  readonly verdict: string;
}

type Config = Omit<CardMemberConfig, 'sink' | 'topic' | 'bus'> & {
  readonly url: string;
  /** Where the sink is, if not at `url`. */
  readonly sinkUrl?: string;
  readonly bus?: Omit<CardMemberConfig['bus'], 'url'>;
};

/** A process that handles cards, and what it has said. */
export class CardMember {
  private constructor(
    readonly process: GuardedProcess,
    readonly instanceId: string,
  ) {}

  static async start({ url, sinkUrl = url, bus = {}, ...rest }: Config): Promise<CardMember> {
    const config: CardMemberConfig = {
      ...rest,
      topic: TOPIC,
      sink: { url: sinkUrl, name: SINK },
      bus: { url, ...bus },
    };
    const child = await startChild('test/faults/children/card-member.ts', { args: [JSON.stringify(config)] });
    const ready = await child.line(/^ready /);
    return new CardMember(child, ready.slice('ready '.length));
  }

  /** What its handler began with, in order; of one card, or of all. */
  got(card?: string): Got[] {
    return this.said('got', card).map(([name = '', number, attempt, token = '', sequence = '']) => ({
      ...{ card: name, number: Number(number), attempt: Number(attempt) },
      ...{ token: BigInt(token), sequence },
    }));
  }

  /** What its handler ended well. */
  done(card?: string): Done[] {
    return this.said('done', card).map(([name = '', number, verdict = '']) => ({
      ...{ card: name, number: Number(number), verdict },
    }));
  }

  /** Lines that begin with the word, the rest of them in words. */
  said(word: string, card?: string): string[][] {
    return this.process.lines
      .map((line) => line.split(' '))
      .filter(([first, second]) => first === word && (card === undefined || second === card))
      .map(([, ...others]) => others);
  }

  /** Handlers that wait end, and no later one waits. */
  async open(): Promise<void> {
    this.process.kill('SIGUSR2');
    await this.process.line(/^open$/);
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.process.exited;
  }
}
