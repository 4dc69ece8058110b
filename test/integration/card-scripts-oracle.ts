import type { Facts, Row } from './card-scripts-kit.js';

/** What a script hands over, without the texts. */
export interface HandedIds {
  readonly again: number;
  readonly lost: number;
  readonly attempts: Row | undefined;
  readonly ids: readonly string[];
}

interface Item {
  readonly id: string;
  pending: boolean;
  /** Somebody has deleted its body. */
  gone: boolean;
}

type Fate = 'STALE' | 'KEPT' | 'EMPTY' | 'ENDED' | 'LOST' | readonly ['EMPTY', number] | HandedIds;

/** What one card should be after each call of a script: written from the contract, as simply as can be. */
export class CardModel {
  private items: Item[] = [];
  token = '';
  expired = false;
  waits: '' | 'later' | 'due' | 'parked' = '';
  ready = false;
  exists = false;
  registered = false;
  private leaving = false;
  private attempts: Row | undefined;
  /** Somebody was told of its events. */
  private told = true;
  readonly letters: string[] = [];
  readonly ended: string[] = [];
  readonly lost: string[] = [];

  get live(): boolean {
    return this.token !== '' && !this.expired;
  }

  get length(): number {
    return this.items.filter(({ gone }) => !gone).length;
  }

  /** Ids that are stored, the head first. */
  get stored(): string[] {
    return this.items.flatMap(({ id, gone }) => (gone ? [] : [id]));
  }

  get idle(): boolean {
    return !this.ready && this.token === '' && this.waits === '';
  }

  /** What `inspect` must say. */
  facts(): Partial<Facts> {
    return {
      ...{ exists: this.exists, length: this.length, pending: this.items.filter(({ pending }) => pending).length },
      ...{ token: this.token, attempts: this.attempts, leaving: this.leaving },
    };
  }

  /** Never a card with events, of which somebody was told, that is neither ready, owned nor blocked. */
  get stuck(): boolean {
    if (!this.idle) this.told = true;
    return this.length > 0 && this.told && this.idle;
  }

  store(id: string, announced: boolean): void {
    if (!announced && this.idle) this.told = false;
    this.items.push({ id, pending: false, gone: false });
    this.exists = true;
    if (!announced) return;
    this.registered = true;
    this.leaving = false;
    this.wake();
  }

  register(): void {
    this.exists = this.registered = true;
    this.leaving = false;
    if (this.length > 0) this.wake();
  }

  sweep(idle: boolean, old: boolean): void {
    if (this.length > 0) {
      this.registered = true;
      this.wake();
    } else if (this.live) return;
    else if (this.leaving) this.destroy();
    else if (this.registered) {
      if (idle) this.reap(old);
    } else if (this.exists) this.registered = true;
  }

  delete(id: string): void {
    const item = this.items.find((each) => each.id === id);
    if (item === undefined) throw new Error(`no ${id}`);
    this.lost.push(id);
    item.gone = true;
    if (!item.pending) this.remove([id]);
  }

  take(mine: boolean, token: string, n: number): 'BUSY' | 'BLOCKED' | 'EMPTY' | readonly ['EMPTY', number] | HandedIds {
    if (this.live && !mine) return 'BUSY';
    if (this.waits === 'later' || this.waits === 'parked') return 'BLOCKED';
    this.waits = '';
    this.ready = false;
    const { ids, again, lost } = this.hand(n);
    const head = ids[0];
    if (head === undefined) {
      this.token = '';
      this.attempts = undefined;
      if (this.leaving) this.destroy();
      return lost > 0 ? ['EMPTY', lost] : 'EMPTY';
    }
    if (this.live) this.giveBack();
    this.grant(token);
    return { ids, again, lost, attempts: this.headAttempts(head, again) };
  }

  /** Before a claim: what is due is ready. */
  settleTime(): void {
    if (this.waits === 'due') {
      this.waits = '';
      this.ready = true;
    }
    if (this.token !== '' && this.expired) {
      this.crash();
      this.token = '';
      this.ready = true;
    }
  }

  grant(token: string): void {
    if (this.token !== '' && this.expired) this.crash();
    this.token = token;
    this.expired = false;
    this.ready = false;
    this.registered = true;
  }

  ack(token: string, mode: string, n: number, clear: boolean, ids: readonly string[]): Fate {
    if (token !== this.token) return 'STALE';
    this.remove(ids);
    this.ended.push(...ids.filter((id) => !this.lost.includes(id)));
    const fate = this.proceed(mode, n, ids.length > 0);
    if (clear) this.attempts = undefined;
    return fate;
  }

  fail(token: string, id: string, due: 'later' | 'due' | 'parked', counted: number, attempts: number): Fate {
    if (token !== this.token) return 'STALE';
    const row = this.attemptsOf(id);
    row[1] = due === 'parked' ? Math.max(row[1], attempts - row[2]) : row[1] + counted;
    row[4] = 0;
    row[5] = 'oops';
    this.attempts = row;
    this.waits = due;
    this.token = '';
    this.ready = false;
    return 'ENDED';
  }

  bury(token: string, id: string, mode: string, n: number): Fate {
    if (token !== this.token) return 'STALE';
    const item = this.items.find((each) => each.id === id);
    if (item?.pending === true) {
      if (item.gone) return 'LOST';
      this.file(id);
    }
    return this.proceed(mode, n, true);
  }

  alone(token: string, id: string): 'STALE' | number {
    if (token !== this.token) return 'STALE';
    this.attempts = this.attemptsOf(id);
    this.attempts[4] = 1;
    return this.attempts[3];
  }

  unregister(drop: boolean): number {
    if (!this.registered && !this.exists) return 0;
    const { length } = this;
    if (drop) {
      this.lost.push(...this.stored);
      this.destroy();
      return length;
    }
    if (length === 0 && !this.live) this.destroy();
    else {
      this.registered = this.leaving = true;
      if (length > 0) this.wake();
    }
    return 0;
  }

  resume(): 0 | 1 {
    if (this.waits === '') return 0;
    this.waits = '';
    this.attempts = undefined;
    if (this.length > 0) this.wake();
    else if (this.leaving) this.destroy();
    return 1;
  }

  skip(): 0 | 1 {
    if (this.live) return 0;
    const [head] = this.hand(1).ids;
    if (head === undefined) return 0;
    this.file(head);
    this.waits = this.token = '';
    if (this.length > 0) this.wake();
    else if (this.leaving) this.destroy();
    else this.ready = false;
    return 1;
  }

  private wake(): void {
    this.told = true;
    if (!this.live && this.waits === '') this.ready = true;
  }

  private proceed(mode: string, n: number, acked: boolean): Fate {
    if (mode === 'keep') {
      this.expired = false;
      return 'KEPT';
    }
    if (mode !== 'next') {
      this.giveBack();
      this.letGo(this.length > 0);
      return 'ENDED';
    }
    const { ids, again, lost } = this.length > 0 || !acked ? this.hand(n) : { ids: [] as string[], again: 0, lost: 0 };
    const head = ids[0];
    if (head === undefined) {
      if (!acked) this.attempts = undefined;
      this.letGo(false);
      return lost > 0 ? ['EMPTY', lost] : 'EMPTY';
    }
    this.expired = false;
    return { ids, again, lost, attempts: again === 1 || !acked ? this.headAttempts(head, again) : undefined };
  }

  private letGo(more: boolean): void {
    this.token = '';
    if (more) this.ready = true;
    else if (this.leaving) this.destroy();
  }

  private hand(n: number): { ids: string[]; again: number; lost: number } {
    let lost = 0;
    let window = n;
    let found: Item[];
    for (;;) {
      const rows = this.items.filter(({ pending }) => pending).slice(0, window);
      const gone = rows.filter((item) => item.gone);
      found = rows.filter((item) => !item.gone).slice(0, n);
      if (gone.length === 0) break;
      lost += gone.length;
      this.remove(gone.map(({ id }) => id));
      window = 1_000;
    }
    const again = found.length > 0 ? 1 : 0;
    const fresh = this.items.filter(({ pending }) => !pending).slice(0, n - found.length);
    for (const item of fresh) item.pending = true;
    return { ids: [...found, ...fresh].map(({ id }) => id), again, lost };
  }

  private headAttempts(head: string, again: number): Row | undefined {
    if (this.attempts?.[0] === '' && again === 1) this.attempts[0] = head;
    if (this.attempts?.[0] !== head) this.attempts = undefined;
    return this.attempts === undefined ? undefined : [...this.attempts];
  }

  private attemptsOf(id: string): Row {
    const row = this.attempts;
    return row !== undefined && (row[0] === id || row[0] === '')
      ? [id, row[1], row[2], row[3], row[4], row[5]]
      : [id, 0, 0, 0, 0, ''];
  }

  private crash(): void {
    this.attempts ??= ['', 0, 0, 0, 0, ''];
    this.attempts[2]++;
    this.attempts[3] += this.attempts[4];
    this.attempts[4] = 0;
  }

  private giveBack(): void {
    if (this.attempts !== undefined) this.attempts[4] = 0;
  }

  private file(id: string): void {
    this.letters.push(id);
    this.remove([id]);
    this.attempts = undefined;
  }

  private remove(ids: readonly string[]): void {
    this.items = this.items.filter(({ id }) => !ids.includes(id));
  }

  private reap(old: boolean): void {
    if (this.exists || old) {
      this.ready = false;
      this.waits = this.token = '';
      this.attempts = undefined;
    }
    if (this.exists) this.items = [];
    this.exists = false;
    if (old) this.registered = false;
  }

  private destroy(): void {
    this.items = [];
    this.token = this.waits = '';
    this.ready = this.exists = this.registered = this.leaving = false;
    this.attempts = undefined;
  }
}
