import { Scope, type Type } from '@nestjs/common';
import type { ModuleRef } from '@nestjs/core';
import { hostOf, moduleRefOf, type InstanceWrapper } from './wrappers.js';

/** Nest's key of the instances that belong to one event. */
export type ContextId = Parameters<ModuleRef['registerRequestByContextId']>[1];

/** An enhancer that is there, or one that is made for each event. */
export type Slot<Enhancer> =
  { readonly instance: Enhancer } | { readonly resolve: (contextId: ContextId) => Promise<Enhancer> };

/** The enhancer that a class in a decorator stands for, as Nest has made it for the handler's module. */
export async function slotOfClass(host: InstanceWrapper, type: Type): Promise<Slot<unknown>> {
  const wrapper = hostOf(host)?.injectables.get(type);
  if (wrapper !== undefined) {
    if (!wrapper.isDependencyTreeStatic()) return slotOfWrapper(wrapper);
    if (!wrapper.isTransient || wrapper.isNotMetatype) return { instance: wrapper.instance };
  }
  // Nest makes the enhancers of classes that it instantiates itself; those of a factory's or a value's class are made here,
  // and so is the one that a handler has of a transient class.
  const module = moduleRefOf(host);
  const scope = Reflect.getMetadata('scope:options', type) as { readonly scope?: Scope } | undefined;
  if (scope?.scope === Scope.REQUEST)
    return { resolve: (contextId) => module.create(type, contextId) as Promise<unknown> };
  return { instance: await module.create<unknown>(type) };
}

/** A request-scoped enhancer that Nest holds. */
export function slotOfWrapper<Enhancer>(wrapper: InstanceWrapper): Slot<Enhancer> {
  const module = moduleRefOf(wrapper);
  const token = wrapper.token as Type<Enhancer>;
  return { resolve: (contextId) => module.resolve<Enhancer>(token, contextId) };
}

/** True when nothing has to be made for an event. */
export function ready<Enhancer>(slot: Slot<Enhancer>): slot is { readonly instance: Enhancer } {
  return 'instance' in slot;
}

/** The enhancers for one event. */
export function occupants<Enhancer>(slots: readonly Slot<Enhancer>[], contextId: ContextId): Promise<Enhancer[]> {
  return Promise.all(slots.map((slot) => (ready(slot) ? slot.instance : slot.resolve(contextId))));
}
