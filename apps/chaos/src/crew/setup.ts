/** What a child process is told. */
export interface WorkerSetup {
  readonly role: string;
  readonly instanceId: string;
  /** Of Redis, by way of the process's proxy. */
  readonly url: string;
  /** Of Redis itself, for the sink. */
  readonly directUrl: string;
  /** What all keys of the run begin with. */
  readonly prefix: string;
  readonly seed: number;
  /** ms */
  readonly lease: number;
}

/** What it says. */
export type WorkerReport =
  { readonly ready: true } | { readonly said: string; readonly level: 'warn' | 'error' } | { readonly failed: string };

/** What a child process does. */
export interface Role {
  /** Ends it in order. */
  close(): Promise<void>;
}
