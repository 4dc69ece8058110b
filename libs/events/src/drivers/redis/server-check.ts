/** Version of the server as a number (`7.2`), from INFO. */
export function serverVersion(info: string): number | undefined {
  const match = /^redis_version:(\d+)\.(\d+)/m.exec(info);
  return match === null ? undefined : Number(`${match[1] ?? '0'}.${match[2] ?? '0'}`);
}

/**
 * What of the server's settings endangers events, for people. `save` is the value of CONFIG GET save, where it may be
 * read.
 */
export function serverProblems(info: string, save: string | undefined): string[] {
  const problems: string[] = [];
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
  const limited = Number(/^maxmemory:(\d+)/m.exec(info)?.[1] ?? 0) > 0;
  if (limited && policy !== undefined && policy !== 'noeviction') {
    problems.push(`the server's maxmemory-policy is ${policy}: it may delete events. Set it to noeviction`);
  }
  if (/^aof_enabled:0/m.test(info) && save === '') {
    problems.push('the server keeps nothing on disk (no AOF, no RDB): its restart loses events. Set appendonly yes');
  }
  return problems;
}
