import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { connect } from 'node:net';
import { delimiter, join } from 'node:path';

/** The path of a program on the PATH. */
export function which(name: string): string | undefined {
  for (const dir of (process.env['PATH'] ?? '').split(delimiter)) {
    if (dir === '') continue;
    const path = join(dir, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      continue;
    }
  }
  return undefined;
}

/** Whether a Docker engine answers; a `docker` command alone is only the client. */
export function dockerAnswers(): Promise<boolean> {
  const host = process.env['DOCKER_HOST'];
  if (host !== undefined && host !== '' && !host.startsWith('unix://')) return Promise.resolve(true);
  const path = host ? host.slice('unix://'.length) : '/var/run/docker.sock';
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.on('error', () => {
      resolve(false);
    });
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

export const WAYS_OUT = [
  'These tests need a real Redis server (7.0 or newer), and there is none. Ways out, any one of them:',
  '  - set EVENTS_TEST_REDIS_URL to a server whose data may be deleted, e.g. redis://127.0.0.1:6379',
  '  - put a redis-server on the PATH (Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis)',
  '  - start Docker: a container is then used through testcontainers',
  '  - run as root where there is apt-get: the tests then install redis-server themselves',
].join('\n');

/**
 * Jest's globalSetup: once per run, before any worker, it installs redis-server where there is no other way to a Redis and
 * that is allowed. Jest loads this file as CommonJS, so it imports no other file of ours.
 */
export default async function globalSetup(): Promise<void> {
  if (process.env['EVENTS_TEST_REDIS_URL'] || which('redis-server') !== undefined) return;
  if (await dockerAnswers()) return;
  if (which('apt-get') === undefined || process.getuid?.() !== 0) return; // startRedis() tells the ways out
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', 'redis-server']]) {
    process.stderr.write(`No Redis found; installing one for the tests: apt-get ${args.join(' ')}\n`);
    const { status } = spawnSync('apt-get', args, { env, stdio: ['ignore', 2, 2], timeout: 300_000 });
    if (status !== 0) {
      process.stderr.write(`apt-get ${args.join(' ')} failed (status ${String(status)})\n`);
      return;
    }
  }
}
