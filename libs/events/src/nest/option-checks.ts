/** What an option accepts, in words, and whether a value fits. */
export type Check = readonly [accepted: string, fits: (value: unknown) => boolean];

export const TEXT: Check = ['text', (value) => typeof value === 'string'];
export const SWITCH: Check = ['true or false', (value) => typeof value === 'boolean'];

/**
 * What is wrong with the options of a decorator, in words.
 * @param known every option; undefined: its values are checked elsewhere
 * @param hint what whoever gives no object may have meant
 */
export function problemsOf(
  options: unknown,
  known: Readonly<Record<string, Check | undefined>>,
  hint: string,
): string[] {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    return [`the options must be an object; ${hint}.`];
  return Object.entries(options).flatMap(([key, value]): string[] => {
    if (!Object.hasOwn(known, key)) return [`unknown option '${key}'; known: ${Object.keys(known).join(', ')}.`];
    const check = known[key];
    if (value === undefined || check === undefined || check[1](value)) return [];
    return [`option ${key}: got a value of type ${typeof value}; accepted: ${check[0]}.`];
  });
}
