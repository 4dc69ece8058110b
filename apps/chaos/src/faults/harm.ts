/**
 * - `kill`: SIGKILL; - `stop`: SIGSTOP for longer than a lease, then SIGCONT; - `term`: SIGTERM; - `cut`: all connections cut,
 * after answers were lost; - `producer`: the same for the producer.
 */
export type HarmKind = 'kill' | 'stop' | 'term' | 'cut' | 'producer';

/** Something that was done to a process. */
export interface Harm {
  readonly kind: HarmKind;
  /** When it began, in ms of Redis. */
  readonly at: number;
  readonly instanceId: string;
  /** What it had in hand then. */
  readonly held: readonly string[];
}
