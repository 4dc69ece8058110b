import { EventValidationError, MissingDependencyError, type ValidationIssue } from '../core/errors.js';
import type { EventClass } from '../core/event-class.js';
import { pathOf } from './issue-path.js';
import { loadOptional } from './lazy.js';

/** Throws `EventValidationError` when an instance breaks the decorators of its class. */
export type Validate = (type: string, instance: object) => void;

/** What class-validator says of one property. */
interface Finding {
  readonly property: string;
  readonly constraints?: Readonly<Record<string, string>> | undefined;
  readonly children?: readonly Finding[] | undefined;
}

/** What is used of class-validator. */
interface Library {
  validateSync(instance: object, options: Readonly<Record<string, boolean>>): readonly Finding[];
}

/** Where class-validator, whichever copy of it, keeps what its decorators say; there is none before the first ran. */
interface Storage {
  getTargetValidationMetadatas(
    target: EventClass,
    schema: string,
    always: boolean,
    strictGroups: boolean,
  ): readonly unknown[];
}

/** `forbidUnknownValues` would refuse nested values without decorators; `whitelist` would take keys away. */
const OPTIONS = Object.freeze({ forbidUnknownValues: false, whitelist: false });

/** True when class-validator decorators say something of the class or a parent of it. Loads nothing. */
export function isDecorated(target: EventClass): boolean {
  const { classValidatorMetadataStorage: storage } = globalThis as { classValidatorMetadataStorage?: Storage };
  return storage !== undefined && storage.getTargetValidationMetadatas(target, '', false, false).length > 0;
}

/** @throws MissingDependencyError */
export async function loadValidator(): Promise<Validate> {
  const library = await loadOptional<Library>(() => import('class-validator'), 'validateSync');
  if (library === undefined)
    throw new MissingDependencyError('class-validator', 'An event class with class-validator decorators');
  return (type, instance) => {
    const findings = library.validateSync(instance, OPTIONS);
    if (findings.length > 0)
      throw new EventValidationError(
        type,
        findings.flatMap((each) => issuesOf(each, [])),
      );
  };
}

function issuesOf({ property, constraints, children }: Finding, above: readonly string[]): ValidationIssue[] {
  const keys = [...above, property];
  const own = Object.values(constraints ?? {}).map((message) => ({ path: pathOf(keys), message }));
  return [...own, ...(children ?? []).flatMap((child) => issuesOf(child, keys))];
}
