import { Logger } from '@nestjs/common';
import type { ResolvedModuleOptions } from '../ports/options.js';
import type { EventsLogger } from '../ports/logger.js';

/**
 * The logger of the options, else Nest's. It is no provider of its own: Nest would call the hooks of a logger that is a
 * provider of the application a second time.
 */
export function loggerOf({ logger }: Pick<ResolvedModuleOptions, 'logger'>): EventsLogger {
  return logger ?? new Logger('Events');
}
