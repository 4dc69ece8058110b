import {
  Inject,
  Injectable,
  type ExceptionFilter,
  type CanActivate,
  type NestInterceptor,
  type PipeTransform,
  type Type,
} from '@nestjs/common';
import { ApplicationConfig } from '@nestjs/core';
import type { ResolvedModuleOptions } from '../ports/options.js';
import { InvalidHandlerError } from '../core/errors.js';
import { slotOfClass, slotOfWrapper, type Slot } from './enhancer-slot.js';
import type { FoundHandler } from './explorer.js';
import { parametersOf, type Parameter } from './parameters.js';
import { RESOLVED_OPTIONS } from './tokens.js';
import type { InstanceWrapper } from './wrappers.js';

interface EnhancerTypes {
  guards: CanActivate;
  interceptors: NestInterceptor;
  pipes: PipeTransform;
  filters: ExceptionFilter;
}
type Kind = keyof EnhancerTypes;

/** What stands around a handler, the outermost first. */
export type Enhancers = { readonly [Each in Kind]: readonly Slot<EnhancerTypes[Each]>[] } & {
  /** Absent: the handler gets payload and context as they are. */
  readonly parameters: readonly Parameter[] | undefined;
};

/** What Nest's decorators write, and the method by which each kind is known. */
const KINDS: {
  readonly [Each in Kind]: { readonly key: string; readonly method: keyof EnhancerTypes[Each] & string };
} = {
  guards: { key: '__guards__', method: 'canActivate' },
  interceptors: { key: '__interceptors__', method: 'intercept' },
  pipes: { key: '__pipes__', method: 'transform' },
  filters: { key: '__exceptionFilters__', method: 'catch' },
};

/**
 * Finds the guards, interceptors, pipes and filters of a handler. Nest's `ExternalContextCreator` is not used: it runs global
 * ones unasked, passes over a guard class on a factory's or value's class, and pipes decorated parameters only.
 */
@Injectable()
export class EnhancerFinder {
  constructor(
    private readonly config: ApplicationConfig,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedModuleOptions,
  ) {}

  /**
   * Undefined when nothing stands around the handler.
   * @throws InvalidHandlerError when one of them cannot be had
   */
  async find(handler: FoundHandler): Promise<Enhancers | undefined> {
    const { config } = this;
    const pipes = await this.of('pipes', handler, config.getGlobalPipes(), config.getGlobalRequestPipes());
    const found: Enhancers = {
      guards: await this.of('guards', handler, config.getGlobalGuards(), config.getGlobalRequestGuards()),
      interceptors: await this.of(
        'interceptors',
        handler,
        config.getGlobalInterceptors(),
        config.getGlobalRequestInterceptors(),
      ),
      filters: await this.of('filters', handler, config.getGlobalFilters(), config.getGlobalRequestFilters()),
      pipes,
      parameters: await parametersOf(handler, pipes.length > 0, (entry) => this.slot('pipes', handler, entry)),
    };
    const { guards, interceptors, filters, parameters } = found;
    return guards.length + interceptors.length + filters.length === 0 && parameters === undefined ? undefined : found;
  }

  /** Global ones if their kind is enabled, then those of the class, then those of the method. */
  private async of<Each extends Kind>(
    kind: Each,
    handler: FoundHandler,
    instances: readonly EnhancerTypes[Each][],
    scoped: readonly InstanceWrapper[],
  ): Promise<Slot<EnhancerTypes[Each]>[]> {
    const { type, prototype, key } = handler;
    const method = Reflect.get(prototype, key) as object;
    const own = [type, method].flatMap(
      (target) => (Reflect.getMetadata(KINDS[kind].key, target) as unknown[] | undefined) ?? [],
    );
    const slots = await Promise.all(own.map((entry) => this.slot(kind, handler, entry)));
    if (!this.options.enhancers.has(kind)) return slots;
    return [
      ...instances.map((instance) => ({ instance })),
      ...scoped.map((each) => slotOfWrapper<EnhancerTypes[Each]>(each)),
      ...slots,
    ];
  }

  private async slot<Each extends Kind>(
    kind: Each,
    handler: FoundHandler,
    entry: unknown,
  ): Promise<Slot<EnhancerTypes[Each]>> {
    const slot = typeof entry === 'function' ? await this.ofClass(kind, handler, entry as Type) : { instance: entry };
    const { method } = KINDS[kind];
    if (
      'instance' in slot &&
      typeof (slot.instance as Record<string, unknown> | null | undefined)?.[method] !== 'function'
    ) {
      throw new InvalidHandlerError(`what is given to ${decoratorOf(kind)} has no method ${method}.`);
    }
    return slot as Slot<EnhancerTypes[Each]>;
  }

  private async ofClass(kind: Kind, handler: FoundHandler, type: Type): Promise<Slot<unknown>> {
    try {
      return await slotOfClass(handler.wrapper, type);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new InvalidHandlerError(`${type.name} in ${decoratorOf(kind)} cannot be made: ${why}`);
    }
  }
}

function decoratorOf(kind: Kind): string {
  return kind === 'filters' ? '@UseFilters' : `@Use${kind.charAt(0).toUpperCase()}${kind.slice(1)}`;
}
