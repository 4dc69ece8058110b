import type { EventsLogger } from 'nestjs-cardinal';

/** The bench's server keeps nothing on disk, on purpose; of everything else we want to hear. */
export const logger: EventsLogger = {
  log: () => {},
  debug: () => {},
  warn: (message) => {
    if (!message.includes('keeps nothing on disk')) process.stderr.write(`nestjs-cardinal: ${message}\n`);
  },
  error: (message) => {
    process.stderr.write(`nestjs-cardinal: ${message}\n`);
  },
};
