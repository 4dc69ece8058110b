import 'reflect-metadata';
import type { Listenable } from '../bus/publish-options.js';
import type { OnEventOptions } from './on-event-options.js';

const HANDLERS = Symbol.for('nestjs-cardinal.handlers');

/** In place of a member's name where a decorator is on the class itself. */
export const WHOLE_CLASS = Symbol.for('nestjs-cardinal.whole-class');

/** What one `@OnEvent` says, or another decorator of this library in its place. */
export interface DeclaredHandler {
  readonly listenable: Listenable;
  readonly options: OnEventOptions;
}

/**
 * Writes down what a decorator says, the topmost first. It is kept with the class and the name of the member, so that another
 * decorator may replace the method, and with the method, so that a mixin may copy it to another class.
 * @param target the prototype; the class itself where the decorator is on a static member, or on the class
 */
export function addDeclaration(target: object, key: string | symbol, method: unknown, declared: DeclaredHandler): void {
  const keys = declaredKeys(target);
  const all = [declared, ...(declarationsOf(target, key) ?? [])];
  if (!keys.includes(key)) Reflect.defineMetadata(HANDLERS, [...keys, key], target);
  Reflect.defineMetadata(HANDLERS, all, target, key);
  if (typeof method === 'function') Reflect.defineMetadata(HANDLERS, all, method);
}

/** The members of this very class (not of a parent) that have a declaration. */
export function declaredKeys(target: object): readonly (string | symbol)[] {
  return (Reflect.getOwnMetadata(HANDLERS, target) as (string | symbol)[] | undefined) ?? [];
}

/** What is declared of a member of this very class (not of a parent). */
export function declarationsOf(target: object, key: string | symbol): readonly DeclaredHandler[] | undefined {
  return Reflect.getOwnMetadata(HANDLERS, target, key) as DeclaredHandler[] | undefined;
}

/** What is declared of a method, whatever class it is in. */
export function declarationsOfMethod(method: object): readonly DeclaredHandler[] | undefined {
  return Reflect.getOwnMetadata(HANDLERS, method) as DeclaredHandler[] | undefined;
}
