import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import {
  BUS_FIELDS,
  LATER_SECTIONS,
  MODULE_FIELDS,
  isRecord,
  nearest,
  type Field,
  type Given,
  type Layer,
} from './fields.js';
import { show } from './secrets.js';

/** What the environment says. */
export interface EnvironmentReading {
  readonly module: Layer;
  /** By instance, as it is spelled in code; one that only the environment names is in lower case with `_`. */
  readonly buses: ReadonlyMap<string, Layer>;
  /** `REDIS_URL`: for a redis backend without any address. */
  readonly lastResortUrl: string | undefined;
  readonly problems: readonly string[];
}

type Suffixed = Pick<Field<unknown>, 'path' | 'suffix'>;

const PREFIX = 'EVENT_';
const INSTANCE = /^[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?$/;
const MODULE_VARIABLES = new Map<string, Suffixed>(
  Object.values(MODULE_FIELDS).map((field) => [PREFIX + field.suffix, field]),
);

/**
 * Reads `EVENT_*`. Whole names are the module's; otherwise the longest known field at the end of a name wins, and the
 * rest is the instance. Values are trimmed, as files of secrets end with a line break. An empty value is a problem, because
 * no field may be empty and the most frequent cause is a variable that somebody forgot: taken for "not set", an empty
 * `EVENT_URL` would quietly mean "in memory".
 * @param source the module's option `env`: undefined = `process.env`, false = read nothing
 * @param declared names of instances in code
 */
export function readEnvironment(
  source: unknown,
  declared: readonly string[],
  fields: readonly Suffixed[] = Object.values(BUS_FIELDS),
): EnvironmentReading {
  const { variables, problems } = variablesOf(source);
  const spelling = new Map(['default', ...declared].map((name) => [variableName(name), name]));
  const module = new Map<string, Given>();
  const buses = new Map<string, Map<string, Given>>();
  const unknown: string[] = [];

  for (const [name, text] of variables) {
    if (!name.startsWith(PREFIX)) continue;
    const ofModule = MODULE_VARIABLES.get(name);
    const found = ofModule ?? splitVariable(name, fields);
    const instance = found !== undefined && 'instance' in found ? found.instance : undefined;
    const later = laterSection(name, found, instance, spelling);
    if (later !== undefined) problems.push(later);
    else if (found === undefined) unknown.push(name);
    else if (typeof text !== 'string') problems.push(`${name}: got ${show(text)}; accepted: text, as in process.env.`);
    else if (text.trim() === '') problems.push(`${name} is empty; give it a value, or remove the variable.`);
    else if (ofModule !== undefined) module.set(found.path, { value: text.trim(), origin: name });
    else {
      const key = variableName(instance ?? 'default');
      const layer = getOrAdd(buses, spelling.get(key) ?? key);
      problems.push(...add(layer, found.path, { value: text.trim(), origin: name }, fields));
    }
  }
  const instances = [...spelling.keys(), ...[...buses.keys()].map(variableName)];
  problems.push(...unknown.map((name) => unknownVariable(name, instances, fields)));
  const url = variables.get('REDIS_URL');
  const lastResortUrl = typeof url === 'string' && url.trim() !== '' ? url.trim() : undefined;
  return { module, buses, lastResortUrl, problems };
}

function getOrAdd(buses: Map<string, Map<string, Given>>, name: string): Map<string, Given> {
  const layer = buses.get(name) ?? new Map<string, Given>();
  buses.set(name, layer);
  return layer;
}

/** Puts a value into a layer: `EVENT_DEFAULT_X` beats `EVENT_X`, and two other spellings of one name are a problem. */
function add(layer: Map<string, Given>, path: string, given: Given, fields: readonly Suffixed[]): string[] {
  const isShort = ({ origin }: Given): boolean => splitVariable(origin, fields)?.instance === undefined;
  const rival = layer.get(path);
  if (rival === undefined || isShort(rival)) layer.set(path, given);
  else if (!isShort(given)) return [`${rival.origin} and ${given.origin} set the same option; remove one of them.`];
  return [];
}

/** The instance (undefined in the short form) and the field of a variable; undefined when no known field ends it. */
export function splitVariable(
  name: string,
  fields: readonly Suffixed[],
): { instance: string | undefined; path: string } | undefined {
  const body = name.slice(PREFIX.length);
  const field = fields
    .filter(({ suffix }) => body === suffix || body.endsWith(`_${suffix}`))
    .sort((a, b) => b.suffix.length - a.suffix.length)[0];
  if (field === undefined) return undefined;
  if (body === field.suffix) return { instance: undefined, path: field.path };
  const instance = body.slice(0, -field.suffix.length - 1);
  return INSTANCE.test(instance) ? { instance, path: field.path } : undefined;
}

/** What is wrong with the names of instances: characters, and names that have the same variables. */
export function instanceNameProblems(names: readonly string[], origin: (name: string) => string): string[] {
  const problems: string[] = [];
  const seen = new Map<string, string>();
  for (const name of names) {
    if (!INSTANCE.test(name) || name.length > 64)
      problems.push(
        `${origin(name)}: the name of an instance is 1 to 64 letters, digits, '-' and '_', with a letter or digit at both ends.`,
      );
    const other = seen.get(variableName(name));
    if (other !== undefined && other !== name)
      problems.push(
        `${origin(other)} and ${origin(name)} have the same variables (${PREFIX}${variableName(name).toUpperCase()}_…), where '-' and '_' are one and case does not count; rename one of them.`,
      );
    seen.set(variableName(name), other ?? name);
  }
  return problems;
}

/** An instance's name as variables have it. */
function variableName(name: string): string {
  return name.toLowerCase().replaceAll('-', '_');
}

/** The variables to read, by name so that problems come in a stable order. */
function variablesOf(source: unknown): { variables: ReadonlyMap<string, unknown>; problems: string[] } {
  if (source === false) return { variables: new Map(), problems: [] };
  if (source === undefined) return { variables: sorted(process.env), problems: [] };
  if (typeof source !== 'object' || source === null || Array.isArray(source)) {
    const problem = `env: got ${show(source)}; accepted: an object of variables, false, or { ignore: [names] }.`;
    return { variables: new Map(), problems: [problem] };
  }
  if (!('ignore' in source) || typeof source.ignore === 'string') return { variables: sorted(source), problems: [] };
  const problems: string[] = [];
  const names: readonly unknown[] = Array.isArray(source.ignore) ? source.ignore : [undefined];
  if (!names.every((name) => typeof name === 'string'))
    problems.push('env.ignore: accepted: an array of names of variables.');
  if (Object.keys(source).length > 1)
    problems.push('env: accepted: an object of variables, or { ignore: [names] } and nothing beside it.');
  return { variables: sorted(process.env, names), problems };
}

function sorted(variables: object, ignore: readonly unknown[] = []): Map<string, unknown> {
  const used = Object.entries(variables).filter(([name, value]) => value !== undefined && !ignore.includes(name));
  return new Map(used.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * The problem of a name that means a section of a later release: today it would quietly be an instance with the section's
 * name, tomorrow an option. An instance of such a name has to be declared in code.
 */
function laterSection(
  name: string,
  found: Suffixed | { path: string } | undefined,
  instance: string | undefined,
  spelling: ReadonlyMap<string, string>,
): string | undefined {
  if (found !== undefined && (instance === undefined || spelling.has(variableName(instance)))) return undefined;
  const words = variableName(instance ?? name.slice(PREFIX.length)).split('_');
  const meant = instance === undefined ? words.slice(0, -1) : words.slice(-1);
  const section = LATER_SECTIONS.find((candidate) => meant.includes(candidate));
  if (section === undefined) return undefined;
  return (
    `${name}: the section '${section}' is not part of this release yet. Remove the variable; or, if it means an instance, ` +
    `declare that in the option instances; or, if it belongs to other software, name it in env: { ignore: ['${name}'] }.`
  );
}

/** Says what is accepted and what is nearest; not the value, which may be anybody's secret. */
function unknownVariable(name: string, instances: readonly string[], fields: readonly Suffixed[]): string {
  const words = name.slice(PREFIX.length).split('_');
  const fronts = words.map((_, count) => words.slice(0, count).join('_')).filter((front) => INSTANCE.test(front));
  const under = (front: string): string[] => fields.map(({ suffix }) => `${PREFIX}${front}_${suffix}`);
  const known = [...MODULE_VARIABLES.keys(), ...fields.map(({ suffix }) => PREFIX + suffix)];
  known.push(...instances.flatMap((instance) => under(instance.toUpperCase())));
  // A slip of the pen in the field of an instance that has no other variable.
  const slip = nearest(name.toUpperCase(), fronts.flatMap(under), 2);
  const best = nearest(name.toUpperCase(), [...known, ...(slip === undefined ? [] : [slip])]);
  const suffixes = fields.map(({ suffix }) => suffix).join(', ');
  return (
    `${name} is not a variable of this library; the nearest known name is ${best ?? ''}. ` +
    `Accepted: ${[...MODULE_VARIABLES.keys()].join(', ')}, and ${PREFIX}<field> or ${PREFIX}<INSTANCE>_<field> with one of ${suffixes}. ` +
    `If it belongs to other software, name it in the option env: { ignore: ['${name}'] }.`
  );
}

/** The name without its scope, where it fits; `'app'` where there is none that does. */
export function serviceName(packageName = nearestPackageName()): string {
  return MODULE_FIELDS.service.parse(packageName?.replace(/^@[^/]*\//, '')) ?? 'app';
}

/** The name in the first package.json from the working directory upwards that has one. */
function nearestPackageName(): string | undefined {
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    try {
      const content: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      if (isRecord(content) && typeof content['name'] === 'string' && content['name'] !== '') return content['name'];
    } catch {
      // None here, or not one that can be read: the next one up may do.
    }
    if (dirname(folder) === folder) return undefined;
  }
}

/** An id that no other process has: the random part tells restarts in one container apart, which have the same pid. */
export function newInstanceId(service: string): string {
  const [name = '', host = ''] = [service, hostname()].map((part) => part.replace(/[^\w.-]/g, '-').slice(0, 48));
  return `${name}-${host}-${String(process.pid)}-${randomBytes(4).toString('hex')}`;
}
