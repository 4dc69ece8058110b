import type { EventClass } from '../core/event-class.js';
import { loadOptional } from './lazy.js';

/** Makes instances of classes with class-transformer decorators. */
export interface Transformer {
  /** True when decorators of class-transformer say something of the class or a parent of it. */
  knows(target: EventClass): boolean;
  /** An instance, with nested classes, dates and arrays of them restored. */
  make(target: EventClass, payload: object): object;
}

/** What is used of class-transformer. */
interface Library {
  plainToInstance(target: EventClass, payload: object): object;
}

/** Its metadata by class. The package does not export it; @nestjs/mapped-types reads it in the same place. */
interface Storage {
  readonly _typeMetadatas: ReadonlyMap<unknown, unknown>;
  readonly _transformMetadatas: ReadonlyMap<unknown, unknown>;
  readonly _exposeMetadatas: ReadonlyMap<unknown, unknown>;
  readonly _excludeMetadatas: ReadonlyMap<unknown, unknown>;
}

interface Stored {
  readonly defaultMetadataStorage: Storage;
}

const NONE: Transformer = Object.freeze({
  knows: () => false,
  make: (_target: EventClass, payload: object) => payload,
});

/** Class-transformer where it is installed, else one that knows no class. */
export async function loadTransformer(): Promise<Transformer> {
  const library = await loadOptional<Library>(() => import('class-transformer'), 'plainToInstance');
  if (library === undefined) return NONE;
  const storage = await loadStorage();
  return {
    knows: (target) => storage === undefined || says(storage, target),
    make: (target, payload) => library.plainToInstance(target, payload),
  };
}

/** Undefined where this version of the package keeps it elsewhere: any class may then have decorators. */
async function loadStorage(): Promise<Storage | undefined> {
  // @ts-expect-error -- the package has no types for this file
  const load = (): Promise<unknown> => import('class-transformer/cjs/storage.js');
  const storage = (await loadOptional<Stored>(load, 'defaultMetadataStorage'))?.defaultMetadataStorage;
  return storage?._typeMetadatas instanceof Map ? storage : undefined;
}

function says(storage: Storage, target: EventClass): boolean {
  const { _typeMetadatas, _transformMetadatas, _exposeMetadatas, _excludeMetadatas } = storage;
  for (let each: unknown = target; typeof each === 'function'; each = Reflect.getPrototypeOf(each)) {
    for (const metadata of [_typeMetadatas, _transformMetadatas, _exposeMetadatas, _excludeMetadatas])
      if (metadata.has(each)) return true;
  }
  return false;
}
