import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventEmitter2, EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import { EVENT_TYPE, type Payload } from '../payload.js';
import type { OpenInProcessSystem } from './in-process-system.js';

/** @nestjs/event-emitter as it is used: its module, wildcards on, a handler with @OnEvent. */
export const openNestEventEmitter: OpenInProcessSystem = async (_setup, handle) => {
  @Injectable()
  class Orders {
    @OnEvent(EVENT_TYPE)
    created(payload: Payload): unknown {
      return handle(payload);
    }
  }

  @Module({ imports: [EventEmitterModule.forRoot({ wildcard: true })], providers: [Orders] })
  class App {}

  const app = await NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
  const emitter = app.get(EventEmitter2);
  return {
    publish: (payload) => emitter.emitAsync(EVENT_TYPE, payload),
    emit: (payload) => emitter.emit(EVENT_TYPE, payload),
    close: () => app.close(),
  };
};
