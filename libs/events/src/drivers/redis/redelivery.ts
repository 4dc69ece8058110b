import type { Timer } from '../../core/clock.js';
import type { RedisHost } from './redis-host.js';
import { StreamState } from './stream-state.js';

/** Rows that one call moves, and types that are looked at together. */
const ROWS_A_CALL = 200;
const LOOKS_AT_ONCE = 50;
/** A timer that found nothing is set again for what is due this soon: it was a little early, ms. */
const NEAR = 1_000;

/** Tells the members of a group (without a name: of anycast) that there are redeliveries of a type. `counter`: whose turn it is. */
export function redoWake(group: string | undefined, counter: number): string {
  return group === undefined ? `rra ${String(counter)}` : `rr ${group} ${String(counter)}`;
}

type Promoted = readonly [moved: number, wait: string, length: number];

/**
 * The redeliveries of one source, a stream a type. They are asked about when somebody says that there are some, by the
 * poll, at the beginning and after a reconnect; never by the reading of the log. What waits is moved to the stream when it
 * is due: by a timer in the process that stored it, by everybody's poll where that process is gone.
 */
export class Redelivery {
  private readonly states = new Map<string, StreamState>();
  private readonly stirred = new Set<StreamState>();
  /** To be looked at; true: whatever comes of it, this process keeps the time for what waits. */
  private readonly looks = new Map<StreamState, boolean>();
  private looking: Promise<void> | undefined;
  /** When the first retry of each is due, ms of this process's clock. */
  private readonly due = new Map<StreamState, number>();
  private timer: Timer | undefined;
  private timerAt = Infinity;
  private turn = 0;
  private ended = false;

  constructor(
    private readonly host: RedisHost,
    /** Name of the stream group. */
    private readonly streamGroup: string,
    private readonly group: string | undefined,
    /** There is something to read. */
    private readonly pull: () => void,
  ) {}

  /** Begins with a type. */
  open(type: string): void {
    if (this.states.has(type)) return;
    const state = new StreamState(type, this.host.keys.redo(type, this.group), true);
    state.dirty = false;
    this.states.set(type, state);
  }

  /** Ends with a type; gives its stream, for what is still in flight. */
  drop(type: string): StreamState | undefined {
    const state = this.states.get(type);
    if (state === undefined) return undefined;
    this.states.delete(type);
    for (const each of [this.stirred, this.looks, this.due]) each.delete(state);
    return state;
  }

  get(type: string): StreamState | undefined {
    return this.states.get(type);
  }

  /** Streams that have something to do. */
  busy(): StreamState[] {
    for (const state of this.stirred) if (!state.busy) this.stirred.delete(state);
    return [...this.stirred];
  }

  /** The stream has something to do. */
  stir(state: StreamState): void {
    if (this.states.get(state.type) !== state) return;
    this.stirred.add(state);
    this.pull();
  }

  /** Moves what is due of a type, and has its stream read where there is something in it. */
  look(type: string, keepsTime = false): void {
    const state = this.states.get(type);
    if (state === undefined || this.ended) return;
    this.looks.set(state, keepsTime || this.looks.get(state) === true);
    this.looking ??= this.lookAll().finally(() => {
      this.looking = undefined;
    });
  }

  /** The connection is there again: messages may have been missed, and replies lost. */
  restored(): void {
    for (const [type, state] of this.states) {
      state.unsure = state.joined;
      this.look(type, true);
    }
  }

  /** The next retry of a type is due in `wait` ms ('' = none waits). */
  keepTime(type: string, wait: string): void {
    const state = this.states.get(type);
    if (state === undefined || this.ended) return;
    if (wait === '') {
      this.due.delete(state);
      return;
    }
    const at = this.host.clock.now() + Number(wait);
    this.due.set(state, at);
    if (at < this.timerAt) this.arm(at);
  }

  /** Keeps no time any more: others do. */
  end(): void {
    this.ended = true;
    this.timer?.cancel();
    this.looks.clear();
  }

  /** The message that wakes one of the group for what has been added. */
  wakeMessage(): string {
    return redoWake(this.group, this.turn++);
  }

  private arm(at: number): void {
    this.timer?.cancel();
    this.timerAt = at;
    const { clock } = this.host;
    // A timer may fire within the millisecond before.
    this.timer = clock.after(at - clock.now() + 1, () => {
      this.timerAt = Infinity;
      let next = Infinity;
      for (const [state, due] of this.due) {
        if (due > clock.now()) {
          next = Math.min(next, due);
          continue;
        }
        this.due.delete(state);
        this.look(state.type);
      }
      if (next < Infinity) this.arm(next);
    });
  }

  private async lookAll(): Promise<void> {
    while (this.looks.size > 0) {
      const some = [...this.looks].slice(0, LOOKS_AT_ONCE);
      for (const [state] of some) this.looks.delete(state);
      await Promise.all(some.map(([state, keepsTime]) => this.lookAt(state, keepsTime)));
    }
  }

  private async lookAt(state: StreamState, keepsTime: boolean): Promise<void> {
    const { connection, keys, readFailed } = this.host;
    // The poll of others does it, or this one when the connection is there again.
    if (!connection.isUp) return;
    const { type } = state;
    const args = [this.streamGroup, ROWS_A_CALL, keys.wake(type), this.wakeMessage()];
    try {
      const reply = await connection.script('promote', [keys.wait(type, this.group), state.key, ...args]);
      const [moved, wait, length] = reply as Promoted;
      // Who moves rows goes on to keep the time; so one process does, and another follows it.
      if (keepsTime || moved > 0 || (wait !== '' && Number(wait) < NEAR)) this.keepTime(type, wait);
      if (length === 0) {
        state.unsure = false;
        return;
      }
      state.dirty = true;
      state.claimable = true;
      this.stir(state);
    } catch (error) {
      readFailed(keys.wait(type, this.group), error);
    }
  }
}
