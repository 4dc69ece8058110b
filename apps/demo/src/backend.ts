import { Injectable } from '@nestjs/common';

/** Which backend the environment chooses for the default bus: what is said, else by the URL, else memory. */
@Injectable()
export class Backend {
  readonly name: string;

  constructor() {
    const { EVENT_DEFAULT_BACKEND, EVENT_BACKEND, EVENT_DEFAULT_URL, EVENT_URL } = process.env;
    const byUrl = (EVENT_DEFAULT_URL ?? EVENT_URL) === undefined ? 'memory' : 'redis';
    this.name = EVENT_DEFAULT_BACKEND ?? EVENT_BACKEND ?? byUrl;
  }

  /** Whether other processes may be on the bus. */
  get shared(): boolean {
    return this.name !== 'memory';
  }
}
