/** Where the library's lines go. Nest's `Logger` fits. */
export interface EventsLogger {
  log(message: string): void;
  warn(message: string): void;
  error(message: string, stack?: string): void;
  debug(message: string): void;
}
