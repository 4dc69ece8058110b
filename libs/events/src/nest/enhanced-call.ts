import { AsyncResource } from 'node:async_hooks';
import {
  ForbiddenException,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { defer, isObservable, lastValueFrom, mergeAll, mergeMap, of, type Observable } from 'rxjs';
import type { Parameter } from './parameters.js';

/** The enhancers of one event, ready to run. */
export interface Surroundings {
  readonly guards: readonly CanActivate[];
  readonly interceptors: readonly NestInterceptor[];
  readonly filters: readonly ExceptionFilter[];
  readonly parameters: readonly (Parameter & { readonly through: readonly PipeTransform[] })[] | undefined;
}

type Call = (args: readonly unknown[]) => unknown;

/** Calls a handler through guards, interceptors and pipes, in Nest's order, with the filters around all of it. */
export async function callEnhanced(around: Surroundings, execution: ExecutionContext, call: Call): Promise<unknown> {
  try {
    await admit(around.guards, execution);
    const handle = async (): Promise<unknown> => {
      const { parameters } = around;
      return call(parameters === undefined ? execution.getArgs() : await argumentsOf(parameters, execution));
    };
    return await (around.interceptors.length === 0
      ? settle(handle())
      : intercept(around.interceptors, execution, handle));
  } catch (error) {
    return filter(around.filters, error, execution);
  }
}

/** The value of a promise, of an observable (its last one), or of a promise of one. */
export async function settle(value: unknown): Promise<unknown> {
  const settled: unknown = await value;
  return isObservable(settled) ? lastValueFrom(settled, { defaultValue: undefined }) : settled;
}

async function admit(guards: readonly CanActivate[], execution: ExecutionContext): Promise<void> {
  for (const guard of guards) {
    const admitted = await settle(guard.canActivate(execution));
    if (!admitted) throw new ForbiddenException('Forbidden resource');
  }
}

async function argumentsOf(
  parameters: NonNullable<Surroundings['parameters']>,
  execution: ExecutionContext,
): Promise<unknown[]> {
  const args: unknown[] = [];
  await Promise.all(
    parameters.map(async ({ index, extract, through, metadata }) => {
      let value = await extract(execution);
      for (const pipe of through) value = await pipe.transform(value, metadata);
      args[index] = value;
    }),
  );
  return args;
}

function intercept(
  interceptors: readonly NestInterceptor[],
  execution: ExecutionContext,
  handle: () => Promise<unknown>,
): Promise<unknown> {
  const from = async (index: number): Promise<Observable<unknown>> => {
    const interceptor = interceptors[index];
    if (interceptor === undefined)
      return defer(bound(handle)).pipe(mergeMap((value) => (isObservable(value) ? value : of(value))));
    return interceptor.intercept(execution, { handle: () => defer(bound(() => from(index + 1))).pipe(mergeAll()) });
  };
  return settle(from(0));
}

/** Keeps the asynchronous context of this call for when an interceptor subscribes, which may be outside of it. */
function bound<Value>(run: () => Promise<Value>): () => Promise<Value> {
  const resource = new AsyncResource('nestjs-cardinal.interceptor');
  return () => resource.runInAsyncScope(run);
}

async function filter(
  filters: readonly ExceptionFilter[],
  error: unknown,
  execution: ExecutionContext,
): Promise<unknown> {
  const found = filters.findLast((each) => catches(each, error));
  const result = await settle(found?.catch(error, execution));
  if (result === undefined) throw error;
  return result;
}

function catches(filter: ExceptionFilter, error: unknown): boolean {
  const own: unknown = Reflect.getMetadata('__filterCatchExceptions__', Reflect.getPrototypeOf(filter) ?? filter);
  const types = own ?? (Reflect.getMetadata('__filterCatchExceptions__', filter.constructor) as unknown);
  const list = (types as readonly (abstract new () => unknown)[] | undefined) ?? [];
  return list.length === 0 || list.some((type) => error instanceof type);
}
