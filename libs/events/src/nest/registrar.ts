import { Inject, Injectable } from '@nestjs/common';
import type { ResolvedModuleOptions } from '../ports/options.js';
import type { CardDeclaration, HandlerDeclaration } from '../core/declaration.js';
import { EventsConfigError, InvalidHandlerError } from '../core/errors.js';
import type { EventHandler } from '../core/handler.js';
import type { Buses } from '../runtime/buses.js';
import { HandlerExplorer, type FoundHandler } from './explorer.js';
import type { DeclaredHandler } from './handler-metadata.js';
import { loggerOf } from './logger.js';
import { isCardHandler, type DeclaredCardHandler } from './on-card-topic.decorator.js';
import { cardOptionProblems } from './on-card-topic-options.js';
import { optionProblems } from './on-event-options.js';
import { HandlerRunner } from './runner.js';
import { BUSES, RESOLVED_OPTIONS } from './tokens.js';
import { isUpcast, type DeclaredUpcast } from './upcast.decorator.js';

/** A handler as it listens. */
export interface RegisteredHandler {
  readonly bus: string;
  readonly declaration: HandlerDeclaration | CardDeclaration;
  /** An instance is made for each event. */
  readonly perEvent: boolean;
}

/** A provider with upcasts. */
type Upcasting = Readonly<Record<string | symbol, ((payload: unknown) => unknown) | undefined>>;

/** A problem in words, and the error that it was where there was one. */
interface Problem {
  readonly text: string;
  readonly error?: Error;
}

/** Declares the handlers and upcasts that the explorer finds, before anything is received. */
@Injectable()
export class HandlerRegistrar {
  constructor(
    private readonly explorer: HandlerExplorer,
    private readonly runner: HandlerRunner,
    @Inject(BUSES) private readonly buses: Buses,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedModuleOptions,
  ) {}

  /**
   * @param already problems found before
   * @throws the error itself where one thing is wrong, else EventsConfigError with everything that is
   */
  async register(already: readonly string[] = []): Promise<RegisteredHandler[]> {
    const { handlers, problems: deaf, doubles } = this.explorer.explore();
    const problems: Problem[] = [...already, ...deaf].map((text) => ({ text }));
    const registered: RegisteredHandler[] = [];
    for (const handler of handlers) {
      problems.push(...handler.declarations.filter(isUpcast).flatMap((upcast) => this.addUpcast(handler, upcast)));
      const declarations = handler.declarations.filter((each) => !isUpcast(each));
      if (declarations.length === 0) continue;
      const attempt = await this.declareAll({ ...handler, declarations });
      registered.push(...attempt.registered);
      problems.push(...attempt.problems);
    }
    for (const text of doubles) loggerOf(this.options).warn(text);
    if (problems.length > 0) throw failure(problems);
    return registered;
  }

  /** What is wrong with it, if something is. */
  private addUpcast(found: FoundHandler, { listenable, upcast }: DeclaredUpcast): Problem[] {
    const { instance, key, where } = found;
    try {
      if (instance === undefined)
        throw new InvalidHandlerError(
          '@Upcast needs a provider of which there is one instance, not one for each event.',
        );
      const method = (payload: unknown): unknown => (instance as Upcasting)[key]?.(payload);
      const { from, to } = upcast ?? {};
      this.buses.upcasters.add(listenable, from, to, method, where);
      return [];
    } catch (error) {
      return [problemOf(found, error)];
    }
  }

  private async declareAll(handler: FoundHandler): Promise<{ registered: RegisteredHandler[]; problems: Problem[] }> {
    const registered: RegisteredHandler[] = [];
    const problems: Problem[] = [];
    const names = new Map<string, number>();
    let invoke: EventHandler;
    try {
      invoke = await this.runner.prepare(handler);
    } catch (error) {
      return { registered, problems: [problemOf(handler, error)] };
    }
    for (const declared of handler.declarations) {
      const wrong = isCardHandler(declared) ? cardOptionProblems(declared.cards) : optionProblems(declared.options);
      problems.push(...wrong.map((why) => ({ text: `${handler.where}: ${why}` })));
      if (wrong.length > 0) continue;
      try {
        const declaring = isCardHandler(declared)
          ? this.declareCards(handler, declared, invoke, names)
          : this.declare(handler, declared, invoke, names);
        registered.push(declaring);
      } catch (error) {
        problems.push(problemOf(handler, error));
      }
    }
    return { registered, problems };
  }

  private declare(
    handler: FoundHandler,
    { listenable, options }: DeclaredHandler,
    invoke: EventHandler,
    names: Map<string, number>,
  ): RegisteredHandler {
    const { bus = 'default', group } = options;
    const runtime = this.buses.get(bus);
    const subscriber = JSON.stringify([bus, group === true ? this.options.instances.get(bus)?.group : group]);
    const declaration = runtime.declare(listenable, invoke, options, nameOf(handler, subscriber, names));
    return { bus, declaration, perEvent: handler.instance === undefined };
  }

  private declareCards(
    handler: FoundHandler,
    { listenable, cards }: DeclaredCardHandler,
    invoke: EventHandler,
    names: Map<string, number>,
  ): RegisteredHandler {
    const { bus = 'default', ...options } = cards;
    const runtime = this.buses.get(bus);
    const declaration = runtime.declareCards(
      listenable,
      invoke,
      options,
      nameOf(handler, JSON.stringify([bus, 'cards']), names),
    );
    return { bus, declaration, perEvent: handler.instance === undefined };
  }
}

/** The default name of a handler: its method, numbered where a subscriber has several of it. */
function nameOf({ type, key }: FoundHandler, subscriber: string, names: Map<string, number>): string {
  const nth = (names.get(subscriber) ?? 0) + 1;
  names.set(subscriber, nth);
  return `${type.name || 'anonymous'}.${String(key)}${nth === 1 ? '' : `#${String(nth)}`}`;
}

function problemOf({ where }: FoundHandler, error: unknown): Problem {
  if (!(error instanceof Error)) return { text: `${where}: ${String(error)}` };
  return { text: `${where}: ${error.message}`, error };
}

/** One problem keeps its own error, so that programs can tell it; its message says where. */
function failure(problems: readonly Problem[]): Error {
  const [first] = problems;
  if (problems.length > 1 || first?.error === undefined) return new EventsConfigError(problems.map(({ text }) => text));
  const { error, text } = first;
  if (error.stack !== undefined) error.stack = error.stack.replace(error.message, () => text);
  error.message = text;
  return error;
}
