import { describe, expect, it } from '@jest/globals';
import { maskUrl, redactor, show } from './secrets.js';

describe('maskUrl', () => {
  it.each([
    ['redis://localhost:6379', 'redis://localhost:6379'],
    ['redis://[::1]:6379/2', 'redis://[::1]:6379/2'],
    ['redis+cluster://h1:6379,h2:6379', 'redis+cluster://h1:6379,h2:6379'],
    ['redis://:hunter2@h', 'redis://***@h'],
    ['rediss://user:hunter2@h:6380/0', 'rediss://***@h:6380/0'],
    ['redis://hunter2@h', 'redis://***@h'],
    ['redis+cluster://u:hunter2@h1:6379,h2:6379', 'redis+cluster://***@h1:6379,h2:6379'],
    ['redis+sentinel://:hunter2@h1:26379,h2:26379/main', 'redis+sentinel://***@h1:26379,h2:26379/main'],
    ['redis://h?password=hunter2&db=1', 'redis://h?password=***&db=***'],
    ['REDIS://:hunter2@H', 'REDIS://***@H'],
    ['memory', 'memory'],
    ['', ''],
  ])('%s', (url, masked) => {
    expect(maskUrl(url)).toBe(masked);
  });

  it.each([
    'redis://u:hunter2@h1,u:hunter2@h2',
    'redis://:pa@hunter2@h',
    'redis://:hunter2/x@h',
    'redis://:hunter2#x@h',
    'redis://:x?hunter2@h',
    'redis://:x,hunter2@h1,h2',
    'redis://:hunter2',
    'redis://user:hunter2',
    'redis://:x hunter2',
    'redis:hunter2',
    'redis:/:hunter2@h',
    'redis//:hunter2@h',
    'user:hunter2@h:6379',
    'hunter2@h',
    'redis://:100%hunter2@h:notaport',
    ' redis://:hunter2@h\n',
    'redis://h?x=hunter2@y',
    'redis://:a\nhunter2@h',
    'hunter2://x@y://h',
    'amqp://guest:hunter2@h/vhost',
    'http://h/?token=hunter2',
  ])('never shows the secret of %j', (url) => {
    if (!url.startsWith('hunter2://')) expect(maskUrl(url)).not.toContain('hunter2');
    expect(() => maskUrl(url)).not.toThrow();
  });
});

describe('show', () => {
  it('masks before it cuts', () => {
    const text = show(`redis://:${'x'.repeat(70)}hunter2@host`);
    expect(text).toBe("'redis://***@host'");
  });

  it('keeps a message on one line', () => {
    expect(show('a\nb\u001b[31m')).toBe("'a?b?[31m'");
  });

  it('does not show what is inside objects', () => {
    expect(show({ password: 'hunter2' })).toBe('a value of type object');
    expect(show(undefined)).toBe('nothing');
    expect(show(5)).toBe('5');
  });
});

describe('redactor', () => {
  it('compares whole keys without regard to case', () => {
    const redact = redactor(['password', 'API-Key']);
    expect(['password', 'PASSWORD', 'api-key'].every(redact)).toBe(true);
    expect(['passwords', 'pass', '', 'api_key'].some(redact)).toBe(false);
  });

  it('takes a function as it is, and hides nothing by default', () => {
    const own = (key: string): boolean => key.startsWith('_');
    expect(redactor(own)).toBe(own);
    expect(redactor()('password')).toBe(false);
  });
});
