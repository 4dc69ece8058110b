import { Injectable } from '@nestjs/common';
import { DiscoveryService, ModulesContainer } from '@nestjs/core';
import { WHOLE_CLASS } from './handler-metadata.js';
import { HandlerMetadataAccessor, type HandlerMethod } from './metadata-accessor.js';
import { hostOf, madePerEvent, unwrap, type InstanceWrapper, type Unwrapped } from './wrappers.js';

/** A method that handles events or makes older ones newer, and where it was found. */
export interface FoundHandler extends HandlerMethod, Unwrapped {
  readonly wrapper: InstanceWrapper;
  /** For messages: `Orders.onPaid (AppModule)`. */
  readonly where: string;
}

export interface Exploration {
  readonly handlers: readonly FoundHandler[];
  /** What would be deaf, in words. */
  readonly problems: readonly string[];
  /** Classes with handlers of which there are several instances, in words. */
  readonly doubles: readonly string[];
}

/** Finds the handlers of an application, and the decorators that nobody would hear. */
@Injectable()
export class HandlerExplorer {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly modules: ModulesContainer,
    private readonly metadata: HandlerMetadataAccessor,
  ) {}

  explore(): Exploration {
    const handlers: FoundHandler[] = [];
    const problems = new Set<string>();
    const heard = new Map<object, string[]>();
    const candidates = this.candidates();
    for (const [wrapper, found] of candidates) {
      const host = hostOf(wrapper)?.name ?? 'no module';
      const { methods, problems: wrong } = this.metadata.read(found.prototype);
      for (const { key, why } of wrong) problems.add(`${memberName(found.type, key)} (${host}): ${why}`);
      for (const method of methods)
        handlers.push({ ...found, ...method, wrapper, where: `${memberName(found.type, method.key)} (${host})` });
      if (methods.length > 0) heard.set(found.prototype, [...(heard.get(found.prototype) ?? []), host]);
    }
    const instances = new Set(candidates.map(([, { instance }]) => instance));
    for (const problem of this.unheard(heard, instances)) problems.add(problem);
    const doubles = [...heard].flatMap(([prototype, hosts]) =>
      hosts.length > 1 ? [doubleText(prototype, hosts)] : [],
    );
    return { handlers, problems: [...problems], doubles };
  }

  /** Providers and controllers, each instance once: aliases are left out, and factories that give what is provided elsewhere. */
  private candidates(): [InstanceWrapper, Unwrapped][] {
    const found = new Map<object, [InstanceWrapper, Unwrapped]>();
    for (const wrapper of [...this.discovery.getProviders(), ...this.discovery.getControllers()]) {
      const unwrapped = wrapper.isAlias ? undefined : unwrap(wrapper);
      if (unwrapped === undefined) continue;
      const identity = unwrapped.instance ?? wrapper;
      const other = found.get(identity);
      // The class provider knows the enhancers of its class; the place in the order stays.
      if (other === undefined || (other[0].isNotMetatype && !wrapper.isNotMetatype))
        found.set(identity, [wrapper, unwrapped]);
    }
    return [...found.values()];
  }

  /** Classes with handlers that Nest holds in a place where events do not go. */
  private unheard(heard: ReadonlyMap<object, unknown>, instances: ReadonlySet<unknown>): string[] {
    const problems: string[] = [];
    const check = (prototype: unknown, module: string, why: string): void => {
      if (typeof prototype !== 'object' || prototype === null || heard.has(prototype)) return;
      const decorator = this.metadata.decoratorOf(prototype);
      if (decorator === undefined) return;
      problems.push(
        `${prototype.constructor.name} (${module}) has ${decorator} methods, but ${why}. List the class in providers.`,
      );
    };
    for (const { name, providers, injectables, middlewares } of this.modules.values()) {
      for (const { metatype, isNotMetatype } of injectables.values()) {
        if (!isNotMetatype) check(metatype?.prototype, name, 'serves only as guard, interceptor, pipe or filter');
      }
      for (const { metatype, isNotMetatype } of middlewares.values()) {
        if (!isNotMetatype) check(metatype?.prototype, name, 'serves only as middleware');
      }
      for (const wrapper of providers.values()) {
        const value: unknown = wrapper.isAlias || madePerEvent(wrapper) ? undefined : wrapper.instance;
        if (typeof value === 'function')
          check(value.prototype, name, 'a provider gives the class itself and no instance of it');
        if (!Array.isArray(value)) continue;
        for (const item of value as unknown[]) {
          if (typeof item !== 'object' || item === null || instances.has(item)) continue;
          check(Reflect.getPrototypeOf(item), name, 'an instance is inside an array, where it is not looked for');
        }
      }
    }
    return problems;
  }
}

function memberName(type: { readonly name: string }, key: string | symbol): string {
  return key === WHOLE_CLASS ? type.name : `${type.name}.${String(key)}`;
}

function doubleText(prototype: object, hosts: readonly string[]): string {
  return `${prototype.constructor.name} has ${String(hosts.length)} instances (in ${hosts.join(', ')}), and each handles every event. If that is not meant, provide it in one module and export it.`;
}
