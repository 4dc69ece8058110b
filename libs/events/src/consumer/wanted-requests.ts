import type { HandlerDeclaration } from '../core/declaration.js';
import type { Filter } from '../core/filter.js';
import { isPromise } from '../pipeline/compose.js';
import { RELEASED } from '../pipeline/refusal.js';

/** A request that a filter does not want is not acknowledged but given back: another handler may want it. */
export function givingBackRequests(declaration: HandlerDeclaration): HandlerDeclaration {
  const { answers, filters } = declaration;
  return answers && filters.length > 0 ? { ...declaration, filters: filters.map(givingBack) } : declaration;
}

function givingBack(filter: Filter): Filter {
  return (payload, context) => {
    const wanted = filter(payload, context);
    if (context.mode !== 'request') return wanted;
    return isPromise(wanted) ? wanted.then(orGiveBack) : orGiveBack(wanted);
  };
}

function orGiveBack(wanted: boolean): boolean {
  // eslint-disable-next-line @typescript-eslint/only-throw-error -- a mark, not an error
  if (!wanted) throw RELEASED;
  return wanted;
}
