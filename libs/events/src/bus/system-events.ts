/** Events that the library itself gives, in this process. */
export const SystemEvents = Object.freeze({
  /** The bus receives. Payload: `SystemLife`. */
  Startup: 'system.startup',
  /** The bus begins to drain. Payload: `SystemLife`. */
  Shutdown: 'system.shutdown',
  /** An `emit` failed, or the driver had an error that no caller could be told. Payload: `SystemError`. */
  Error: 'system.error',
  /** Something to look at: a gap, a dead letter, a lost connection. Payload: `SystemWarning`. */
  Warning: 'system.warning',
});

/** Payload of `system.startup` and `system.shutdown`. */
export interface SystemLife {
  readonly bus: string;
  readonly service: string;
  readonly instanceId: string;
}

/** Payload of `system.error`. */
export interface SystemError {
  readonly bus: string;
  readonly what: string;
  readonly type?: string;
  readonly error: string;
}

/** Payload of `system.warning`. `cause` is a stable word. */
export interface SystemWarning {
  readonly bus: string;
  readonly cause: string;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
  /** Warnings of this cause that were held back since the last one. */
  readonly suppressed: number;
}
