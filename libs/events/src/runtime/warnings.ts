import type { SystemWarning } from '../bus/system-events.js';
import type { Clock } from '../core/clock.js';
import type { DriverWarning } from '../ports/driver.js';

/** Between two warnings of one cause, ms. */
const INTERVAL = 1_000;

/** Lets one warning of each cause through a second and counts the others. */
export class WarningGate {
  private readonly causes = new Map<string, { last: number; suppressed: number }>();

  constructor(
    private readonly bus: string,
    private readonly clock: Clock,
  ) {}

  admit({ cause, message, details }: DriverWarning): SystemWarning | undefined {
    const now = this.clock.now();
    const seen = this.causes.get(cause);
    if (seen !== undefined && now - seen.last < INTERVAL && now >= seen.last) {
      seen.suppressed++;
      return undefined;
    }
    this.causes.set(cause, { last: now, suppressed: 0 });
    const warning = { bus: this.bus, cause, message, suppressed: seen?.suppressed ?? 0 };
    return details === undefined ? warning : { ...warning, details };
  }
}
