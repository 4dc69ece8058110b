import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventsModule, OnEvent, type EventContext } from 'nestjs-cardinal';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

interface Config {
  readonly url: string;
  readonly instanceId: string;
  readonly concurrency: number;
  readonly prefetch: number;
}

const { url, instanceId, concurrency, prefetch } = JSON.parse(process.argv[2] ?? '') as Config;
/** Opened by the parent: what runs by then finishes. */
let open = (): void => {};
const door = new Promise<void>((resolve) => (open = resolve));

@Injectable()
class Work {
  @OnEvent('work', { group: 'g', name: 'work', concurrency })
  async work(payload: number, context: EventContext): Promise<void> {
    say(`got work ${String(payload)} ${context.type} ${String(context.attempt)} ${String(context.redelivered)}`);
    await door;
    say(`done work ${String(payload)}`);
  }
}

@Module({
  imports: [
    EventsModule.forRoot({
      service: 'test',
      instanceId,
      env: false,
      instances: { default: { url, concurrency, prefetch, reclaimAfter: '10m' } },
    }),
  ],
  providers: [Work],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
app.enableShutdownHooks();
process.once('SIGUSR2', open);
say('ready');
