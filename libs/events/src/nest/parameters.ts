import type { ArgumentMetadata, ExecutionContext, PipeTransform, Type } from '@nestjs/common';
import { InvalidHandlerError } from '../core/errors.js';
import type { Slot } from './enhancer-slot.js';
import type { FoundHandler } from './explorer.js';

/** One argument of a handler: where it comes from, and the pipes that it goes through. */
export interface Parameter {
  readonly index: number;
  readonly extract: (execution: ExecutionContext) => unknown;
  /** Its own pipes, after those of the method; absent: it goes through none. */
  readonly pipes: readonly Slot<PipeTransform>[] | undefined;
  readonly metadata: ArgumentMetadata;
}

/** What Nest's parameter decorators write. */
interface Decorated {
  readonly index: number;
  readonly data?: unknown;
  readonly pipes?: readonly unknown[];
  readonly factory?: (data: unknown, execution: ExecutionContext) => unknown;
  readonly schema?: unknown;
}
type MakeSlot = (entry: unknown) => Promise<Slot<PipeTransform>>;

const DECORATED = '__routeArguments__';
/** `@Body()` and `@Payload()`, `@Ctx()`, as Nest numbers them. */
const PAYLOAD = '3';
const CONTEXT = '6';

/**
 * The arguments of a handler that has pipes, or decorated parameters; undefined when it has neither. Undecorated ones keep
 * their places: first the payload, which goes through the pipes as the body of a request does, then the context, as it is.
 * @throws InvalidHandlerError for a decorator that means nothing for an event
 */
export async function parametersOf(
  handler: FoundHandler,
  piped: boolean,
  slot: MakeSlot,
): Promise<Parameter[] | undefined> {
  const { type, prototype, key } = handler;
  const written = (target: object): unknown => Reflect.getMetadata(DECORATED, target, key);
  const decorated = Object.entries(
    (written(type) ?? written(prototype.constructor) ?? {}) as Record<string, Decorated>,
  );
  if (decorated.length === 0 && !piped) return undefined;
  const types = (Reflect.getMetadata('design:paramtypes', prototype, key) as Type[] | undefined) ?? [];
  const parameters = await Promise.all(decorated.map(([name, each]) => parameterOf(name, each, types, slot)));
  const taken = new Set(parameters.map(({ index }) => index));
  if (!taken.has(0)) parameters.push(await parameterOf(`${PAYLOAD}:0`, { index: 0 }, types, slot));
  if (!taken.has(1)) parameters.push({ index: 1, extract: contextOf, pipes: undefined, metadata: { type: 'custom' } });
  return parameters;
}

async function parameterOf(
  name: string,
  decorated: Decorated,
  types: readonly Type[],
  slot: MakeSlot,
): Promise<Parameter> {
  const { index, data, factory, schema } = decorated;
  const [number] = name.split(':');
  const pipes = await Promise.all((decorated.pipes ?? []).map(slot));
  const known = typeof data === 'string' ? data : undefined;
  const about = { metatype: types[index], data: known, ...(schema === undefined ? {} : { schema }) };
  const metadata = { type: factory === undefined ? 'body' : 'custom', ...about } as ArgumentMetadata;
  if (factory !== undefined) return { index, extract: (execution) => factory(data, execution), pipes, metadata };
  if (number === CONTEXT) return { index, extract: contextOf, pipes: undefined, metadata };
  if (number === PAYLOAD)
    return {
      index,
      extract: known === undefined ? payloadOf : (execution) => field(payloadOf(execution), known),
      pipes,
      metadata,
    };
  throw new InvalidHandlerError(
    `the decorator of parameter ${String(index)} means nothing for an event: payload and context are the arguments.`,
  );
}

function payloadOf(execution: ExecutionContext): unknown {
  return execution.getArgByIndex(0);
}

function contextOf(execution: ExecutionContext): unknown {
  return execution.getArgByIndex(1);
}

function field(payload: unknown, name: string): unknown {
  return (payload as Readonly<Record<string, unknown>> | null | undefined)?.[name];
}
