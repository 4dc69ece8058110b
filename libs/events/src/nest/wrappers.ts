import { ModuleRef, type DiscoveryService } from '@nestjs/core';

/** Nest's record of a provider or controller. */
export type InstanceWrapper = ReturnType<DiscoveryService['getProviders']>[number];

/** Nest's record of a module. */
export type HostModule = NonNullable<InstanceWrapper['host']>;

/** What a provider gives, as far as it is known before an event comes. */
export interface Unwrapped {
  /** The class, for names and for decorators on it. */
  readonly type: { readonly name: string };
  readonly prototype: object;
  /** Absent: an instance is made for each event. */
  readonly instance: object | undefined;
}

/** Request-scoped, by itself or by what it depends on, durable or not; and transient. */
export function madePerEvent(wrapper: InstanceWrapper): boolean {
  return wrapper.isTransient || !wrapper.isDependencyTreeStatic();
}

/** Undefined where a provider gives no object, or the class of what its factory will give cannot be known. */
export function unwrap(wrapper: InstanceWrapper): Unwrapped | undefined {
  const given = wrapper.isNotMetatype ? undefined : (wrapper.metatype ?? undefined);
  if (madePerEvent(wrapper)) {
    const type: unknown = given ?? wrapper.token;
    const prototype: unknown = typeof type === 'function' ? type.prototype : undefined;
    return typeof type === 'function' && isObject(prototype) ? { type, prototype, instance: undefined } : undefined;
  }
  const instance: unknown = wrapper.instance;
  const prototype = isObject(instance) ? Reflect.getPrototypeOf(instance) : null;
  if (!isObject(instance) || prototype === null || prototype === Object.prototype) return undefined;
  return { type: given ?? prototype.constructor, prototype, instance };
}

/** The module that a provider or controller belongs to. */
export function hostOf(wrapper: InstanceWrapper): HostModule | undefined {
  return wrapper.host;
}

/** The module's own `ModuleRef`: it finds the provider of this very module where several have the token. */
export function moduleRefOf(wrapper: InstanceWrapper): ModuleRef {
  const host = hostOf(wrapper);
  if (host === undefined) throw new Error(`The provider ${String(wrapper.name)} belongs to no module.`);
  return host.getProviderByKey<ModuleRef>(ModuleRef).instance;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
