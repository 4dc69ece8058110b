import { InvalidHandlerError } from '../core/errors.js';
import { TopicTrie } from '../core/topic-trie.js';
import type { Gate } from '../ports/driver.js';
import type { Pipeline, Step } from '../pipeline/compose.js';
import type { HandlerDeclaration } from '../core/declaration.js';
import { Lane, type LaneGate } from './lane.js';

/** A registered handler with its place in the process. */
export class HandlerEntry {
  readonly lane: Lane;
  /** Which events came after its patterns were added; absent: all. */
  gate: Gate | undefined;
  /** Takes no more events: closed, or `once` and used. */
  retired = false;
  /** Ended from outside: what it has begun it finishes, without further attempts in this process. */
  closed = false;
  /** Its patterns count. */
  listening = false;

  constructor(
    readonly declaration: HandlerDeclaration,
    private readonly pipeline: Pipeline,
    gate: LaneGate,
  ) {
    this.lane = new Lane(this.places, gate);
  }

  get step(): Step {
    return this.pipeline.step;
  }

  /** Events in its hands at once. */
  get places(): number {
    const { concurrency, batch } = this.declaration;
    return concurrency * (batch?.size ?? 1);
  }

  /** Waits no longer for what would fill a batch; with `always`, never again. */
  hurry(always: boolean): void {
    this.pipeline.hurry?.(always);
  }
}

/** Who handles a type in this process, worked out once a type. */
export interface Routes {
  /** Handlers without a group, but those with a source of their own (`startFrom: 'earliest'`). */
  readonly process: readonly HandlerEntry[];
  readonly groups: ReadonlyMap<string, readonly HandlerEntry[]>;
  readonly all: readonly HandlerEntry[];
  /** Those that may answer requests, the first declared first. */
  readonly answering: readonly HandlerEntry[];
  /** Whose turn it is among `all` for an anycast event. */
  turn: number;
}

const REMEMBERED = 10_000;

/** The handlers of one bus in this process, found by type. */
export class HandlerRegistry {
  private readonly trie = new TopicTrie<HandlerEntry>();
  private readonly order = new Map<HandlerEntry, number>();
  private routes = new Map<string, Routes>();
  private declared = 0;

  /** @throws InvalidHandlerError when the group has a handler of that name, or there is an idempotent one */
  add(entry: HandlerEntry): void {
    const { name, group, patterns } = entry.declaration;
    for (const { declaration: other } of this.order.keys()) {
      if (other.name !== name || other.group !== group) continue;
      if (group !== undefined)
        throw new InvalidHandlerError(
          `Group '${group}' already has a handler named '${name}': retries and dead letters could not tell them apart. Give one another name.`,
        );
      if (other.idempotent !== undefined && entry.declaration.idempotent !== undefined)
        throw new InvalidHandlerError(
          `There already is an idempotent handler named '${name}': what one has done would count for the other. Give one another name.`,
        );
    }
    this.order.set(entry, this.declared++);
    for (const pattern of patterns) this.trie.add(pattern, entry);
    this.routes = new Map();
  }

  /** False when it was not there any more. */
  remove(entry: HandlerEntry): boolean {
    entry.retired = true;
    if (!this.order.delete(entry)) return false;
    for (const pattern of entry.declaration.patterns) this.trie.remove(pattern, entry);
    this.routes = new Map();
    return true;
  }

  entries(): HandlerEntry[] {
    return [...this.order.keys()];
  }

  for(type: string): Routes {
    let routes = this.routes.get(type);
    if (routes === undefined) {
      if (this.routes.size >= REMEMBERED) this.routes.clear();
      routes = this.route(type);
      this.routes.set(type, routes);
    }
    return routes;
  }

  private route(type: string): Routes {
    const all = this.trie.match(type).sort((a, b) => (this.order.get(a) ?? 0) - (this.order.get(b) ?? 0));
    const groups = new Map<string, HandlerEntry[]>();
    for (const entry of all) {
      const group = entry.declaration.group;
      if (group !== undefined) groups.set(group, [...(groups.get(group) ?? []), entry]);
    }
    return {
      process: all.filter(({ declaration }) => declaration.group === undefined && declaration.startFrom !== 'earliest'),
      groups,
      all,
      answering: all.filter((entry) => entry.declaration.answers),
      turn: 0,
    };
  }
}
