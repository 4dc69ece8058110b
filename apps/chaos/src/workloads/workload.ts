import type { Harm, HarmKind } from '../faults/harm.js';

/**
 * What the processes do while they are harmed, and what must hold at the end. Processes and faults know nothing of it, so that
 * another kind of work (groups, delayed events) is another implementation, with a role of its own for the children.
 */
export interface Workload {
  /** Which role the children play (`worker.ts`). */
  readonly role: string;
  /** Publishes until the signal aborts; resolves when every publish has been answered. */
  produce(signal: AbortSignal): Promise<void>;
  /** What a process has in hand, by names that `verify` understands. */
  heldBy(instanceId: string): Promise<readonly string[]>;
  /** What is still to do: nothing when drained. */
  leftover(): Promise<readonly string[]>;
  /** Looks at everything, when it is drained or was given up. */
  verify(harms: readonly Harm[]): Promise<Findings>;
  /** Cuts the producer's own connections. */
  cutProducer(deaf: number): Promise<void>;
  close(): Promise<void>;
}

export interface Findings {
  readonly figures: readonly Figure[];
  /** From a harm until another process went on with what was held, ms. */
  readonly handOvers: Readonly<Partial<Record<HarmKind, readonly number[]>>>;
  readonly checks: readonly Check[];
}

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly note?: string;
}

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  /** What was found instead; empty when it holds. */
  readonly found: string;
}

/** At most so many examples in what a check found. */
const EXAMPLES = 5;

/** A check that holds when nothing was found. */
export function none(name: string, found: readonly string[]): Check {
  const shown = found.slice(0, EXAMPLES).join('; ');
  return { name, ok: found.length === 0, found: found.length > EXAMPLES ? `${found.length}: ${shown}; …` : shown };
}
