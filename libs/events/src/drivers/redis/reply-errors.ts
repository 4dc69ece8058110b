/** The client could not send, or lost the connection before the answer. */
export function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.name !== 'ReplyError' || /^(?:UNBLOCKED|CLUSTERDOWN|MASTERDOWN|LOADING|TRYAGAIN)/.test(error.message);
}

/** The server will take it later: it loads, or another is being promoted. */
export function isPassing(error: unknown): boolean {
  return (
    error instanceof Error &&
    /^(?:READONLY|LOADING|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|BUSY |NOREPLICAS)/.test(error.message)
  );
}

/** The group is there already: as wanted. */
export function ignoreBusyGroup(error: unknown): void {
  if (!(error instanceof Error && error.message.startsWith('BUSYGROUP'))) throw error;
}
