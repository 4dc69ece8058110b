import type { EventsLogger } from '../ports/logger.js';

/** The logger outside Nest where none is given: warnings and errors to standard error. */
export const stderrLogger: EventsLogger = {
  log: () => undefined,
  debug: () => undefined,
  warn: (message) => {
    write('WARN', message);
  },
  error: (message, stack) => {
    write('ERROR', stack === undefined ? message : `${message}\n${stack}`);
  },
};

function write(level: string, message: string): void {
  process.stderr.write(`[events] ${level} ${message}\n`);
}
