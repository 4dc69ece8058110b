import type { HandlerDeclaration } from '../core/declaration.js';
import { compose, type Middleware, type Step } from '../pipeline/compose.js';
import { invokeStep } from '../pipeline/invoke.js';
import { deadLetter, failed } from '../pipeline/middleware/dead-letter.js';
import { debug } from '../pipeline/middleware/debug.js';

/**
 * The order of the pipeline, outermost first. A handler gets the middleware that its options ask for and no other.
 */
export function pipelineFor(declaration: HandlerDeclaration, options: { readonly debug: boolean }): Step {
  const outer: Middleware[] = options.debug ? [debug] : [];
  // Between dead letters and handler: what the handler's options ask for.
  const inner: Middleware[] = [];
  if (inner.length === 0) return compose(outer, invokeStep(declaration.invoke, failed));
  return compose([...outer, deadLetter, ...inner], invokeStep(declaration.invoke));
}
