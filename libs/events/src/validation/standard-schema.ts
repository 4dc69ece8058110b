import { EventValidationError } from '../core/errors.js';
import type { SchemaIssue, SchemaResult, StandardSchema } from '../core/standard-schema.js';
import { pathOf } from './issue-path.js';
import { after, settled } from './lazy.js';

/**
 * What a schema makes of a payload. Synchronous where the schema is.
 * @throws EventValidationError when the payload breaks it
 */
export function applySchema(type: string, schema: StandardSchema, payload: unknown): unknown {
  return after(settled(schema['~standard'].validate(payload)), (result) => outputOf(type, result));
}

function outputOf(type: string, result: SchemaResult): unknown {
  if (result.issues === undefined) return result.value;
  throw new EventValidationError(
    type,
    result.issues.map((issue) => ({ path: pathOf(keysOf(issue)), message: issue.message })),
  );
}

function keysOf({ path = [] }: SchemaIssue): PropertyKey[] {
  return path.map((step) => (typeof step === 'object' ? step.key : step));
}
