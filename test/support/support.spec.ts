import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { startChild } from './child.js';
import { cleanUp } from './cleanup.js';
import { startCluster, startRedis, startSentinel } from './redis.js';
import { waitUntil } from './wait.js';

const alive = (pid: number | undefined): boolean => pid !== undefined && existsSync(`/proc/${String(pid)}`);

afterEach(cleanUp, 30_000);

describe('startRedis', () => {
  it('gives a server that answers, and ends it', async () => {
    const redis = await startRedis({ private: true });
    const { pid } = redis;

    expect(await redis.cli('PING')).toBe('PONG');
    await expect(redis.cli('NONSENSE')).rejects.toThrow(/unknown command/);
    expect(redis.pid).toBe(pid);

    await cleanUp();
    expect(alive(pid)).toBe(false);
  });

  it('restarts empty, and with what the append-only file kept, on the same port', async () => {
    const redis = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
    await redis.cli('SET', 'key', 'value');

    await redis.restart({ signal: 'SIGKILL' });
    expect(await redis.cli('GET', 'key')).toBe('value');

    await redis.stop();
    expect(redis.pid).toBeUndefined();
    await expect(redis.cli('PING')).rejects.toThrow(/ECONNREFUSED/);

    await redis.restart({ empty: true });
    expect(await redis.cli('GET', 'key')).toBe('');
  });

  it('pauses and resumes', async () => {
    const redis = await startRedis({ private: true });
    redis.pause();
    const reply = redis.cli('PING');
    let answered = false;
    void reply.then(() => {
      answered = true;
    });
    await waitUntil('the server to be stopped', async () => {
      const stat = await readFile(`/proc/${String(redis.pid)}/stat`, 'utf8');
      return stat.includes(') T ');
    });
    expect(answered).toBe(false);
    redis.resume();
    expect(await reply).toBe('PONG');
  });
});

describe('startCluster', () => {
  it('gives three masters that serve all slots', async () => {
    const cluster = await startCluster();
    const [node] = cluster.nodes;
    expect(cluster.urls).toHaveLength(3);
    expect(await node?.cli('CLUSTER', 'INFO')).toMatch(/cluster_slots_ok:16384\r\n/);
    expect(node?.slots).toEqual([0, 5460]);
  });

  it('fails over to a replica', async () => {
    const cluster = await startCluster({ replicas: 1 });
    expect(cluster.nodes.map(({ role }) => role).filter((role) => role === 'replica')).toHaveLength(3);
    await cluster.nodes[0]?.stop('SIGKILL');
    await waitUntil(
      'the replica to take over',
      async () => (await cluster.nodes[3]?.cli('ROLE'))?.startsWith('master'),
      { timeout: 30_000 },
    );
    await cluster.ready();
  });
});

describe('startSentinel', () => {
  it('fails over to the replica', async () => {
    const sentinel = await startSentinel();
    expect(await sentinel.currentMasterPort()).toBe(sentinel.master.port);
    await sentinel.master.stop('SIGKILL');
    await waitUntil(
      'the sentinels to name the replica',
      async () => (await sentinel.currentMasterPort()) === sentinel.replica.port,
      { timeout: 30_000 },
    );
  });
});

describe('startChild', () => {
  it('runs TypeScript with decorators, without the options of Jest, until it is killed', async () => {
    const child = await startChild('test/support/fixtures/decorated.ts', { ready: /^ready/ });
    expect(child.lines).toContain('ready Dependency undefined');
    child.kill('SIGKILL');
    expect(await child.exited).toEqual({ code: 137, signal: 9 });
    expect(alive(child.pid)).toBe(false);
  });

  it('rejects with the output when the process ends before its ready line', async () => {
    await expect(startChild('test/support/fixtures/greeting.ts', { ready: 'never' })).rejects.toThrow(
      /ended with code 0 before a line never/,
    );
  });
});
