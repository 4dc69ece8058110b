import { describe, expect, it } from '@jest/globals';
import { Lazy, loadOptional } from './lazy.js';

describe('Lazy', () => {
  it('loads once, and is there at once from then on', async () => {
    let loads = 0;
    const lazy = new Lazy(async () => ++loads);
    expect(loads).toBe(0);
    await Promise.all([lazy.get(), lazy.get()]);
    expect(lazy.get()).toBe(1);
  });

  it('keeps failing where loading failed', async () => {
    const lazy = new Lazy(() => Promise.reject(new Error('no')));
    await expect(lazy.get()).rejects.toThrow('no');
    await expect(lazy.get()).rejects.toThrow('no');
  });
});

describe('loadOptional', () => {
  const failing = (code: string) => () => Promise.reject(Object.assign(new Error(code), { code }));

  it('gives the module, or its default where the member is there', async () => {
    const module = { run: () => 1 };
    expect(await loadOptional<typeof module>(() => Promise.resolve(module), 'run')).toBe(module);
    expect(await loadOptional<typeof module>(() => Promise.resolve({ default: module }), 'run')).toBe(module);
  });

  it('gives nothing where the package is not installed', async () => {
    expect(await loadOptional(failing('ERR_MODULE_NOT_FOUND'), 'run' as never)).toBeUndefined();
    expect(await loadOptional(failing('MODULE_NOT_FOUND'), 'run' as never)).toBeUndefined();
    // A name that no tool that reads imports takes for a dependency.
    const missing = ['not', 'installed'].join('-');
    expect(await loadOptional(() => import(missing), 'run' as never)).toBeUndefined();
  });

  it('says what is wrong with one that is', async () => {
    await expect(loadOptional(failing('EACCES'), 'run' as never)).rejects.toThrow('EACCES');
  });
});
