import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { EventService } from 'nestjs-cardinal';
import { AppModule } from './app.module.js';
import { readArguments, USAGE } from './arguments.js';
import { Backend } from './backend.js';
import { SelfCheck } from './check/self-check.js';
import { toSummary } from './check/summary.js';
import { joinCluster } from './cluster/join.js';
import { Player } from './history/player.js';
import { ReviewModule } from './review/review.module.js';
import { count } from './text.js';

const HOST = '127.0.0.1';
/** Only for the case that events are lost: what has not been handled by then is missing. */
const LATEST = 120_000;
const PROGRESS_EVERY = 2_000;

async function main(): Promise<void> {
  const options = readArguments();
  if (options.help) {
    console.log(USAGE);
    return;
  }

  const root = { module: AppModule, imports: options.review ? [ReviewModule] : [] };
  const app = await NestFactory.create(root, { logger: ['warn', 'error'], abortOnError: false });
  app.enableShutdownHooks();
  const announce = options.member ? joinCluster(app) : undefined;

  const backend = app.get(Backend);
  if (options.once) await app.init();
  else await app.listen(options.port, HOST);
  const url = options.once ? undefined : await app.getUrl();
  console.log(`${app.get(EventService).instanceId} on the ${backend.name} bus${url === undefined ? '' : `, ${url}`}`);
  await announce?.(url);

  if (options.play ?? (!backend.shared && !options.member)) {
    const ok = await play(app.get(Player), app.get(SelfCheck));
    if (options.once && !ok) process.exitCode = 1;
  }
  if (options.once) await app.close();
}

/** Plays the history, waits until it is handled, and tells whether all is as it should be. */
async function play(player: Player, check: SelfCheck): Promise<boolean> {
  const start = performance.now();
  const elapsed = (): string => `${count(Math.round(performance.now() - start))} ms`;
  await player.play({
    onProgress(published) {
      if (published % PROGRESS_EVERY === 0) console.log(`published ${count(published)}`);
    },
  });
  console.log(`published all ${count(player.published)} after ${elapsed()}`);
  try {
    await check.complete(AbortSignal.timeout(LATEST));
    console.log(`handled all after ${elapsed()}`);
  } catch {
    console.log(`not all handled after ${elapsed()}`);
  }
  const result = check.result();
  console.log(toSummary(result));
  return result.verdict === 'OK';
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
