import { describe, expect, it } from '@jest/globals';
import { TopicServices } from './topic-services.js';

const HOUR = 3_600_000;

describe('TopicServices', () => {
  it('is one service a topic, of any number of processes', () => {
    const services = new TopicServices();
    expect([services.enter('a', 's', 0), services.enter('a', 's', 0), services.enter('b', 't', 0)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(services.enter('a', 't', 9 * HOUR)).toBe('s');
  });

  it('keeps a topic an hour after its last process', () => {
    const services = new TopicServices();
    services.enter('a', 's', 0);
    services.enter('a', 's', 0);
    services.leave('a', 1);
    expect(services.enter('a', 't', 9 * HOUR)).toBe('s');
    services.leave('a', 10 * HOUR);
    expect(services.enter('a', 't', 11 * HOUR - 1)).toBe('s');
    expect([services.enter('a', 't', 11 * HOUR), services.enter('a', 's', 99 * HOUR)]).toEqual([undefined, 't']);
    services.leave('unknown', 0);
  });
});
