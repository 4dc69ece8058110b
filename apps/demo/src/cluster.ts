import { parseArgs } from 'node:util';
import { Cluster } from './cluster/cluster.js';
import type { Member } from './cluster/member.js';
import { PrivateRedis } from './cluster/private-redis.js';
import { checkCardsOf, checkFiles, checkGroup, checkProcess, table, type Check } from './cluster/results.js';
import { readChanges } from './history/history.js';
import { count } from './text.js';

const USAGE = `npm run demo:cluster -- [--kill]

  Plays the history on a redis-server of its own, with three processes, and checks who handled what.
  --kill   SIGKILLs one of them halfway and starts another`;

/** Only for the case that events are lost. */
const LATEST = 120_000;
/** With --kill: how long events and cards of a killed process wait for another one. The defaults are a long time to watch. */
const KILL_ENVIRONMENT = { EVENT_DEFAULT_RECLAIM_AFTER: '2s', EVENT_DEFAULT_CARDS_LEASE: '2s' };

const history = readChanges();
const changes = history.length;

async function main(): Promise<void> {
  const options = { kill: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } } as const;
  const { values } = parseArgs({ options });
  if (values.help) {
    console.log(USAGE);
    return;
  }

  const interrupted = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      interrupted.abort(new Error(`ended by ${name}`));
    });
  }
  const redis = await PrivateRedis.start();
  const cluster = new Cluster({
    redisUrl: redis.url,
    environment: values.kill ? KILL_ENVIRONMENT : {},
    signal: AbortSignal.any([interrupted.signal, AbortSignal.timeout(LATEST)]),
  });
  try {
    console.log(`redis-server of its own: ${redis.url}`);
    const checks = await (values.kill ? withKill(cluster) : inPeace(cluster));
    show(cluster, checks);
    const ok = checks.every((check) => check.ok);
    console.log(ok ? 'OK' : 'MISMATCH');
    if (!ok) process.exitCode = 1;
  } catch (error) {
    show(cluster, checkGroups(cluster));
    const late = error instanceof DOMException && error.name === 'TimeoutError';
    throw late ? new Error(`MISMATCH: not all was handled within ${count(LATEST / 1000)} s`) : error;
  } finally {
    await cluster.stop();
    await redis.stop();
  }
}

function show(cluster: Cluster, checks: readonly Check[]): void {
  const lines = checks.map(({ ok, text }) => `${ok ? 'ok' : 'NOT OK'}  ${text}`);
  console.log(['', table(cluster), '', ...lines].join('\n'));
}

async function inPeace(cluster: Cluster): Promise<Check[]> {
  const [player, ...others] = await startThree(cluster);
  console.log(`${player.name} plays ${count(changes)} changes`);
  await player.play(0, changes);
  await groupsHaveAll(cluster);
  await cluster.until(() => cluster.members.every(({ accounts }) => accounts['line-totals'].seqs.size === changes));
  const members = [player, ...others];
  return [
    ...checkGroups(cluster),
    ...members.map((member) => checkProcess(member, changes)),
    ...(await Promise.all(members.map(checkFiles))),
  ];
}

async function withKill(cluster: Cluster): Promise<Check[]> {
  const [player, victim, witness] = await startThree(cluster);
  // The last quarter waits for the new process, so that it is known what that one has to handle.
  const pause = Math.floor(changes * 0.75);
  console.log(`${player.name} plays ${count(pause)} changes`);
  const firstPart = player.play(0, pause);
  await cluster.until(() => cluster.group('audit').events >= changes / 2);
  await victim.kill();
  console.log(`${victim.name} killed, when the group audit had handled ${count(cluster.group('audit').events)}`);
  const replacement = await cluster.start();
  await firstPart;
  console.log(`${replacement.name} started; ${player.name} plays the other ${count(changes - pause)}`);
  await player.play(pause, changes);
  await groupsHaveAll(cluster);
  const stayed = [player, witness];
  await cluster.until(() => stayed.every(({ accounts }) => accounts['line-totals'].seqs.size === changes));
  await cluster.until(() => checkProcess(replacement, changes, pause + 1).ok);
  return [
    ...checkGroups(cluster),
    ...stayed.map((member) => checkProcess(member, changes)),
    checkProcess(replacement, changes, pause + 1),
    ...(await Promise.all(stayed.map(checkFiles))),
  ];
}

async function startThree(cluster: Cluster): Promise<[Member, Member, Member]> {
  const three = await Promise.all([cluster.start(), cluster.start(), cluster.start()]);
  for (const { name, url } of three) console.log(`${name} listens on ${url ?? ''}`);
  return three;
}

function groupsHaveAll(cluster: Cluster): Promise<void> {
  const groups = [cluster.group('audit'), cluster.group('leaderboard')];
  return cluster.until(() => groups.every(({ seqs }) => seqs.size === changes) && cluster.cards.entries >= changes);
}

function checkGroups(cluster: Cluster): Check[] {
  return [
    checkGroup(cluster, 'audit', changes),
    checkGroup(cluster, 'leaderboard', changes),
    checkCardsOf(cluster, history),
  ];
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
