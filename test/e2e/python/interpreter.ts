import { spawnSync } from 'node:child_process';

/** A Python that has redis-py with asyncio (Debian: python3-redis); undefined where there is none. */
export const python = ['python3', '/usr/bin/python3'].find(
  (command) => spawnSync(command, ['-c', 'import redis.asyncio'], { stdio: 'ignore' }).status === 0,
);

/** For the name of a test that is skipped without it. */
export const withPython =
  python === undefined ? ' (SKIPPED: no python3 with redis-py; apt-get install python3-redis)' : '';
