import type { FactoryProvider, InjectionToken, ModuleMetadata, Provider, Type } from '@nestjs/common';
import type { EventsModuleOptions } from '../ports/options.js';
import { EventsConfigError } from '../core/errors.js';
import { EVENTS_OPTIONS } from './tokens.js';

/** A class that makes the module's options, for `useClass` and `useExisting`. */
export interface EventsOptionsFactory {
  createEventsOptions(): EventsModuleOptions | Promise<EventsModuleOptions>;
}

/** The module's options, made from other providers: exactly one of `useFactory`, `useClass`, `useExisting`. */
export interface EventsModuleAsyncOptions extends Pick<ModuleMetadata, 'imports'> {
  /**
   * The buses that can be injected with `@InjectBus(name)`, because Nest has to know them before the options are there. Each must
   * exist in the options or the environment. Others are reached by `EventService.bus(name)`. Defaults to `['default']`, which is
   * always among them.
   */
  readonly instances?: readonly string[];
  /** What `useFactory` gets. Defaults to nothing. */
  readonly inject?: NonNullable<FactoryProvider['inject']>;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the arguments are what `inject` names
  readonly useFactory?: (...args: any[]) => EventsModuleOptions | Promise<EventsModuleOptions>;
  /** Makes the options; Nest instantiates it for this module. */
  readonly useClass?: Type<EventsOptionsFactory>;
  /** Makes the options; a provider of `imports`, or a global one. */
  readonly useExisting?: InjectionToken<EventsOptionsFactory>;
}

/** The providers of the options. What is wrong with `options` is an error at start. */
export function asyncOptionsProviders(options: EventsModuleAsyncOptions): Provider[] {
  const { useFactory, useClass, useExisting, inject = [] } = options;
  const given = [useFactory, useClass, useExisting].filter((each) => each !== undefined);
  if (given.length !== 1) {
    const problem = `forRootAsync: got ${String(given.length)} of useFactory, useClass and useExisting; accepted: one.`;
    return [
      {
        provide: EVENTS_OPTIONS,
        useFactory: (): never => {
          throw new EventsConfigError([problem]);
        },
      },
    ];
  }
  if (useFactory !== undefined) return [{ provide: EVENTS_OPTIONS, useFactory, inject }];
  const token = useExisting ?? useClass;
  const ask = (factory: EventsOptionsFactory): ReturnType<EventsOptionsFactory['createEventsOptions']> =>
    factory.createEventsOptions();
  const provider: Provider = { provide: EVENTS_OPTIONS, useFactory: ask, inject: token === undefined ? [] : [token] };
  return useClass === undefined ? [provider] : [{ provide: useClass, useClass }, provider];
}
