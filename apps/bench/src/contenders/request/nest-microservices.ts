import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientProxyFactory,
  MessagePattern,
  Payload as FromPayload,
  Transport,
  type MicroserviceOptions,
  type RedisOptions,
} from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';
import type { Payload } from '../payload.js';
import type { Answer, OpenCaller, OpenResponder } from './request-peer.js';

function redisOf(url: string): NonNullable<RedisOptions['options']> {
  const { hostname, port, username, password, pathname } = new URL(url);
  return {
    host: hostname,
    port: Number(port || 6379),
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
    ...(pathname.length > 1 && { db: Number(pathname.slice(1)) }),
  };
}

export const openNestCaller: OpenCaller = async ({ redisUrl, prefix }) => {
  const client = ClientProxyFactory.create({ transport: Transport.REDIS, options: redisOf(redisUrl) });
  await client.connect();
  return {
    ask: (payload) => firstValueFrom(client.send<Answer>(`${prefix}request`, payload)),
    close: async () => {
      await client.close();
    },
  };
};

export const openNestResponder: OpenResponder = async ({ redisUrl, prefix }, answer) => {
  @Controller()
  class Orders {
    @MessagePattern(`${prefix}request`)
    ask(@FromPayload() payload: Payload): Answer | Promise<Answer> {
      return answer(payload);
    }
  }

  @Module({ controllers: [Orders] })
  class App {}

  const app = await NestFactory.createMicroservice<MicroserviceOptions>(App, {
    transport: Transport.REDIS,
    options: redisOf(redisUrl),
    logger: false,
    abortOnError: false,
  });
  await app.listen();
  return { close: () => app.close() };
};
