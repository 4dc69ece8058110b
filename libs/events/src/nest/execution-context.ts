/* eslint-disable @typescript-eslint/no-unnecessary-type-parameters -- the signatures are Nest's */
import type { ExecutionContext, Type } from '@nestjs/common';
import type { EventContext } from '../core/context.js';

type Returned<Name extends 'switchToHttp' | 'switchToRpc' | 'switchToWs'> = ReturnType<ExecutionContext[Name]>;

/**
 * What guards, interceptors, filters and parameter decorators get: type `'event'`, arguments payload and context. As rpc,
 * `getData()` is the payload and `getContext()` the event's context.
 */
export class EventExecutionContext implements ExecutionContext {
  constructor(
    private readonly type: Type,
    private readonly handler: (...args: never[]) => unknown,
    private readonly args: [payload: unknown, context: EventContext],
  ) {}

  getType<Name extends string>(): Name {
    return 'event' as Name;
  }

  getClass<T>(): Type<T> {
    return this.type as Type<T>;
  }

  getHandler(): (...args: never[]) => unknown {
    return this.handler;
  }

  getArgs<Args extends unknown[]>(): Args {
    return this.args as unknown as Args;
  }

  getArgByIndex<Arg>(index: number): Arg {
    return this.args[index] as Arg;
  }

  switchToRpc(): Returned<'switchToRpc'> {
    return { getData: <T>() => this.getArgByIndex<T>(0), getContext: <T>() => this.getArgByIndex<T>(1) };
  }

  switchToHttp(): Returned<'switchToHttp'> {
    return {
      getRequest: <T>() => this.getArgByIndex<T>(0),
      getResponse: <T>() => this.getArgByIndex<T>(1),
      getNext: <T>() => this.getArgByIndex<T>(2),
    };
  }

  switchToWs(): Returned<'switchToWs'> {
    const { type } = this.args[1];
    return { getClient: <T>() => undefined as T, getData: <T>() => this.getArgByIndex<T>(0), getPattern: () => type };
  }
}
