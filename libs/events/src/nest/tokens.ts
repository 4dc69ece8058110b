import { Inject } from '@nestjs/common';

/** The default bus as `EventService`, under a token that works across installed copies of the package. */
export const EVENT_SERVICE: unique symbol = Symbol.for('nestjs-cardinal.event-service') as never;

/** The module's options as they were given. */
export const EVENTS_OPTIONS: unique symbol = Symbol.for('nestjs-cardinal.options') as never;

/** The module's options with defaults filled in. */
export const RESOLVED_OPTIONS: unique symbol = Symbol.for('nestjs-cardinal.resolved-options') as never;

/** All buses of the application. */
export const BUSES: unique symbol = Symbol.for('nestjs-cardinal.buses') as never;

/**
 * The token of a named bus: `moduleRef.get(getBusToken('domain'))`. The same for every copy of the package.
 * @param name Defaults to `'default'`.
 */
export function getBusToken(name = 'default'): symbol {
  return Symbol.for(`nestjs-cardinal.bus.${name}`);
}

/**
 * Injects a named bus: `constructor(@InjectBus('domain') private readonly domain: EventBus) {}`. With `forRoot` every bus can
 * be injected that the options or the environment name, with `forRootAsync` those in its `instances`.
 * @param name Defaults to `'default'`.
 */
export function InjectBus(name = 'default'): PropertyDecorator & ParameterDecorator {
  return Inject(getBusToken(name));
}
