import { Injectable, type Type } from '@nestjs/common';
import { ContextIdFactory } from '@nestjs/core';
import type { EventContext } from '../core/context.js';
import type { EventHandler } from '../core/handler.js';
import { callEnhanced, settle, type Surroundings } from './enhanced-call.js';
import { occupants, ready, type ContextId } from './enhancer-slot.js';
import { EnhancerFinder, type Enhancers } from './enhancers.js';
import { EventRequest } from './event-request.js';
import { EventExecutionContext } from './execution-context.js';
import type { FoundHandler } from './explorer.js';
import { moduleRefOf } from './wrappers.js';

type Methods = Readonly<Record<string | symbol, unknown>>;
type Method = (...args: unknown[]) => unknown;

/** Makes the function that runs a found handler. A handler with nothing around it is called and nothing else. */
@Injectable()
export class HandlerRunner {
  constructor(private readonly enhancers: EnhancerFinder) {}

  /** @throws InvalidHandlerError when a guard, interceptor, pipe or filter of it cannot be had */
  async prepare(handler: FoundHandler): Promise<EventHandler> {
    const { key, instance } = handler;
    const enhancers = await this.enhancers.find(handler);
    if (instance === undefined) return runPerEvent(handler, enhancers, instanceOf(handler));
    if (enhancers === undefined) return plain(instance as Methods, key);
    if (!allReady(enhancers)) return runPerEvent(handler, enhancers, () => instance);
    const around = await surroundings(enhancers, ContextIdFactory.create());
    return (payload, context) => run(handler, around, instance, payload, context);
  }
}

/** The method is looked up for each event, so that a test may spy on it at any time. */
function plain(instance: Methods, key: string | symbol): EventHandler {
  return (payload, context) => {
    const result = (instance[key] as Method)(payload, context);
    return subscribable(result) ? settle(result) : result;
  };
}

/** Costs less than `isObservable`, which `settle` asks for certain. */
function subscribable(value: unknown): boolean {
  return (
    typeof value === 'object' && value !== null && typeof (value as { subscribe?: unknown }).subscribe === 'function'
  );
}

/** Makes what is request-scoped or transient for this event, as Nest does for a request. */
function runPerEvent(
  handler: FoundHandler,
  enhancers: Enhancers | undefined,
  resolve: (contextId: ContextId) => object | Promise<object>,
): EventHandler {
  const module = moduleRefOf(handler.wrapper);
  const durable = handler.wrapper.isDependencyTreeDurable();
  return async (payload, context) => {
    const request = new EventRequest<unknown>(payload, context);
    const contextId: ContextId = ContextIdFactory.getByRequest(request);
    module.registerRequestByContextId(
      durable ? contextId.payload : Object.assign(request, contextId.payload),
      contextId,
    );
    const instance = await resolve(contextId);
    const around = enhancers === undefined ? undefined : await surroundings(enhancers, contextId);
    return run(handler, around, instance, payload, context);
  };
}

/** A new instance for an event; durable ones are shared as the application's strategy says. */
function instanceOf({ wrapper }: FoundHandler): (contextId: ContextId) => Promise<object> {
  const module = moduleRefOf(wrapper);
  const token = wrapper.token as Type<object>;
  return (contextId) => module.resolve<object>(token, contextId);
}

function run(
  handler: FoundHandler,
  around: Surroundings | undefined,
  instance: object,
  payload: unknown,
  context: EventContext,
): unknown {
  const { key, type, prototype } = handler;
  const call = (args: readonly unknown[]): unknown => ((instance as Methods)[key] as Method).apply(instance, [...args]);
  if (around === undefined) return settle(call([payload, context]));
  const method = Reflect.get(prototype, key) as (...args: never[]) => unknown;
  return callEnhanced(around, new EventExecutionContext(type as Type, method, [payload, context]), call);
}

async function surroundings(enhancers: Enhancers, contextId: ContextId): Promise<Surroundings> {
  const { parameters } = enhancers;
  const [guards, interceptors, filters, pipes] = await Promise.all([
    occupants(enhancers.guards, contextId),
    occupants(enhancers.interceptors, contextId),
    occupants(enhancers.filters, contextId),
    occupants(enhancers.pipes, contextId),
  ]);
  if (parameters === undefined) return { guards, interceptors, filters, parameters };
  const piped = parameters.map(async (each) => {
    const through = each.pipes === undefined ? [] : [...pipes, ...(await occupants(each.pipes, contextId))];
    return { ...each, through };
  });
  return { guards, interceptors, filters, parameters: await Promise.all(piped) };
}

function allReady({ guards, interceptors, filters, pipes, parameters }: Enhancers): boolean {
  const own = (parameters ?? []).flatMap((each) => each.pipes ?? []);
  return [...guards, ...interceptors, ...filters, ...pipes, ...own].every((slot) => ready<unknown>(slot));
}
