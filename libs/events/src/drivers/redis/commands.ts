import type { Client } from './clients.js';
import { SCRIPTS } from './scripts.generated.js';

export type ScriptName = keyof typeof SCRIPTS;
export type Argument = string | number | Buffer;
type ScriptCall = (...args: Argument[]) => Promise<unknown>;

/** Makes the scripts known to a client; they travel by hash and are loaded when a server does not have them. */
export function defineScripts(client: Client): void {
  for (const [name, { keys, lua }] of Object.entries(SCRIPTS)) {
    client.defineCommand(commandName(name), keys === null ? { lua } : { numberOfKeys: keys, lua });
  }
}

/** Calls a script: keys first, then arguments; of one with any number of keys, this number before them. */
export function callScript(client: Client, name: ScriptName, args: readonly Argument[]): Promise<unknown> {
  const call = (client as unknown as Record<string, ScriptCall | undefined>)[commandName(name)];
  if (call === undefined) throw new Error(`script ${name} is not defined`);
  return call.apply(client, args as Argument[]);
}

function commandName(script: string): string {
  return `cardinal_${script}`;
}
