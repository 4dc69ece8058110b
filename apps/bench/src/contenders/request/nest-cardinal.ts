import 'reflect-metadata';
import { Injectable, Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventService, EventsModule, OnEvent } from 'nestjs-cardinal';
import type { Setup } from '../../harness/bench.js';
import { logger } from '../logger.js';
import { EVENT_TYPE, type Payload } from '../payload.js';
import type { Answer, OpenCaller, OpenResponder } from './request-peer.js';

/** Ours in Nest. */
export const openNestCardinalCaller: OpenCaller = async (setup) => {
  @Module({ imports: [eventsModule('caller', setup)] })
  class App {}

  const app = await NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
  const bus = app.get(EventService);
  return {
    ask: (payload) => bus.publishAndWait(EVENT_TYPE, payload),
    close: () => app.close(),
  };
};

export const openNestCardinalResponder: OpenResponder = async (setup, answer) => {
  @Injectable()
  class Orders {
    @OnEvent(EVENT_TYPE)
    ask(payload: Payload): Answer | Promise<Answer> {
      return answer(payload);
    }
  }

  @Module({ imports: [eventsModule('responder', setup)], providers: [Orders] })
  class App {}

  const app = await NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
  return { close: () => app.close() };
};

function eventsModule(service: string, { redisUrl, prefix }: Setup): DynamicModule {
  return EventsModule.forRoot({
    service,
    env: false,
    logger,
    instances: { default: { url: redisUrl, keyPrefix: prefix } },
  });
}
