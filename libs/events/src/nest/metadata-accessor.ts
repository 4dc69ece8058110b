import { Injectable } from '@nestjs/common';
import { MetadataScanner } from '@nestjs/core';
import {
  declarationsOf,
  declarationsOfMethod,
  declaredKeys,
  WHOLE_CLASS,
  type DeclaredHandler,
} from './handler-metadata.js';
import { decoratorOf } from './upcast.decorator.js';

/** A method and what its decorators say of it, from top to bottom. */
export interface HandlerMethod {
  readonly key: string | symbol;
  readonly declarations: readonly DeclaredHandler[];
}

/** What a class declares; `problems` are members that carry a decorator and could never be called. */
export interface ClassHandlers {
  readonly methods: readonly HandlerMethod[];
  readonly problems: readonly { readonly key: string | symbol; readonly why: string }[];
}

/** Reads what `@OnEvent` and `@Upcast` wrote. */
@Injectable()
export class HandlerMetadataAccessor {
  private readonly scanner = new MetadataScanner();

  /** The handlers of instances with this prototype, inherited ones among them. */
  read(prototype: object): ClassHandlers {
    const chain = chainOf(prototype, Object.prototype);
    const keys = new Set([...chain.flatMap(declaredKeys), ...this.scanner.getAllMethodNames(prototype)]);
    const methods: HandlerMethod[] = [];
    const problems: { key: string | symbol; why: string }[] = [];
    for (const key of keys) {
      const found = handlerOf(key, chain);
      if (typeof found === 'string') problems.push({ key, why: found });
      else if (found !== undefined) methods.push({ key, declarations: found });
    }
    return { methods, problems: [...problems, ...staticsOf(prototype)] };
  }

  /** The decorator by which a class has something for its instances, or meant to; undefined where it has none. */
  decoratorOf(prototype: object): string | undefined {
    const { methods, problems } = this.read(prototype);
    if (methods.length + problems.length === 0) return undefined;
    return decoratorOf(methods.flatMap(({ declarations }) => declarations));
  }
}

/** What is declared of a member, or why it could never be called; undefined where nothing is declared. */
function handlerOf(key: string | symbol, chain: readonly object[]): readonly DeclaredHandler[] | string | undefined {
  const declaring = chain.findIndex((each) => declarationsOf(each, key) !== undefined);
  const owning = chain.findIndex((each) => Object.hasOwn(each, key));
  const owner = chain[owning];
  const declarer = chain[declaring];
  const method: unknown = owner && Object.getOwnPropertyDescriptor(owner, key)?.value;
  if (typeof method !== 'function') return declarer && 'it is not a method. Decorate a method.';
  const own = declarationsOfMethod(method);
  if (declarer === undefined || owner === undefined) return own;
  if (owning >= declaring) return declarationsOf(declarer, key);
  const parent = `${declarer.constructor.name}.${String(key)}`;
  return (
    own ??
    `it overrides ${parent}, which has ${decoratorOf(declarationsOf(declarer, key) ?? [])}, and has none itself, so that it would hear nothing. Decorate it too, or rename it.`
  );
}

function staticsOf(prototype: object): ClassHandlers['problems'] {
  const { constructor } = prototype;
  if (typeof constructor !== 'function') return [];
  return chainOf(constructor, Function.prototype).flatMap((each) =>
    declaredKeys(each).map((key) => {
      const decorator = decoratorOf(declarationsOf(each, key) ?? []);
      const why = 'it is static, and events go to instances. Decorate a method of the instance.';
      return { key, why: key === WHOLE_CLASS ? `${decorator} is on the class itself. Decorate a method.` : why };
    }),
  );
}

/** An object and its prototypes up to `end`. */
function chainOf(start: object, end: object): object[] {
  const chain: object[] = [];
  for (let each: object | null = start; each !== null && each !== end; each = Reflect.getPrototypeOf(each))
    chain.push(each);
  return chain;
}
