import { EventBus } from '../bus/event-bus.js';
import type { BusOptions } from '../ports/options.js';
import type { Buses } from './buses.js';

/** The default bus, and the way to the others. */
export class EventService extends EventBus {
  constructor(private readonly buses: Buses) {
    super(buses.get());
  }

  /**
   * A named bus.
   * @throws UnknownBusError
   */
  bus(name: string): EventBus {
    return this.buses.get(name).bus;
  }

  /**
   * Makes a bus at run time. It closes with the application, or by its own `close`.
   * @throws EventsConfigError, BackendUnavailableError
   */
  async createBus(name: string, options: BusOptions = {}): Promise<EventBus> {
    return (await this.buses.create(name, options)).bus;
  }
}
