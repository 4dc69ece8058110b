import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventService, EventsModule, OnEvent } from 'nestjs-cardinal';
import { logger } from '../logger.js';
import { EVENT_TYPE, type Payload } from '../payload.js';
import type { OpenInProcessSystem } from './in-process-system.js';

/** Ours in memory, in Nest. Option `isolate`. */
export const openNestCardinal: OpenInProcessSystem = async ({ options }, handle) => {
  @Injectable()
  class Orders {
    @OnEvent(EVENT_TYPE)
    created(payload: Payload): unknown {
      return handle(payload);
    }
  }

  const isolate = options['isolate'] === true;
  const events = EventsModule.forRoot({ service: 'bench', env: false, logger, instances: { default: { isolate } } });

  @Module({ imports: [events], providers: [Orders] })
  class App {}

  const app = await NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
  const bus = app.get(EventService);
  return {
    publish: (payload) => bus.publish(EVENT_TYPE, payload),
    settle: (payload) => bus.publish(EVENT_TYPE, payload, { settle: true }),
    emit: (payload) => {
      bus.emit(EVENT_TYPE, payload);
    },
    close: () => app.close(),
  };
};
