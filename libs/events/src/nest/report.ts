import type { ResolvedBusOptions, ResolvedModuleOptions } from '../ports/options.js';
import { maskUrl } from '../config/secrets.js';
import type { CardDeclaration, OnExhausted } from '../core/declaration.js';
import type { RegisteredHandler } from './registrar.js';

/** The lines of the start: one a bus, one a handler. */
export function startReport(options: ResolvedModuleOptions, handlers: readonly RegisteredHandler[]): string[] {
  const { service, instanceId, instances } = options;
  const buses = [...instances.values()].map(
    (bus) => `Bus '${bus.name}' is ${serverOf(bus)}; service '${service}', instance '${instanceId}'.`,
  );
  return [...buses, ...handlers.map(lineOf)];
}

function serverOf({ backend, url, keyPrefix, redis, connection }: ResolvedBusOptions): string {
  if (backend === 'memory') return 'in memory';
  const name = typeof backend === 'string' ? backend : `the driver of ${backend.name || 'a factory'}`;
  const server = url === undefined ? '' : ` at ${maskUrl(url)}`;
  const given = redis === undefined ? '' : ' at the server of its redis options';
  const client = connection === undefined ? '' : ' at the server of its connection';
  return `${name}${server}${given}${client}, keys '${keyPrefix}'`;
}

function lineOf({ bus, declaration, perEvent }: RegisteredHandler): string {
  const { name, patterns, group, startFrom, concurrency, answers, once } = declaration;
  if ('onExhausted' in declaration) return cardLineOf(bus, declaration, perEvent);
  const how = [
    group === undefined ? 'every process' : `once in group '${group}'`,
    `${String(concurrency)} at once`,
    answers ? 'answers requests' : 'no requests',
    ...(startFrom === 'earliest' ? ['from the earliest'] : []),
    ...(once ? ['once'] : []),
    ...(perEvent ? ['an instance per event'] : []),
  ];
  return `${name} listens to ${quoted(patterns)} on bus '${bus}': ${how.join(', ')}.`;
}

const AFTER_ATTEMPTS: Readonly<Record<OnExhausted, string>> = {
  'dead-letter': 'failed ones to the dead letters',
  park: 'parked when one has failed',
  block: 'a failed one is tried for ever',
};

function cardLineOf(bus: string, declaration: CardDeclaration, perEvent: boolean): string {
  const { name, patterns, concurrency, batch, onExhausted } = declaration;
  const how = [
    'each in order',
    batch === undefined
      ? `${String(concurrency)} at once`
      : `${String(concurrency)} at once in batches of ${String(batch.size)}`,
    AFTER_ATTEMPTS[onExhausted],
    ...(perEvent ? ['an instance per event'] : []),
  ];
  return `${name} handles the cards of ${quoted(patterns)} on bus '${bus}': ${how.join(', ')}.`;
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(', ');
}
