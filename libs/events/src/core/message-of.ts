/** The message of anything that was thrown. Never throws, whatever the error's properties do. */
export function messageOf(error: unknown): string {
  try {
    const { message } = error instanceof Error ? error : { message: error };
    return typeof message === 'string' ? message : String(message);
  } catch {
    return 'an error that cannot be written';
  }
}

/** The stack of what was thrown, where it has one. Never throws. */
export function stackOf(error: unknown): string | undefined {
  try {
    const stack: unknown = error instanceof Error ? error.stack : undefined;
    return typeof stack === 'string' ? stack : undefined;
  } catch {
    return undefined;
  }
}
