import { InvalidOptionError } from '../core/errors.js';

/** Which page of a list. */
export interface PageOptions {
  /** From 1. Defaults to 1. */
  readonly page?: number;
  /** 1 to 1,000. Defaults to 20. */
  readonly pageSize?: number;
}

/** One page of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  /** On all pages together. */
  readonly total: number;
  readonly page: number;
  readonly pageSize: number;
}

const MAX_PAGE_SIZE = 1_000;

/** @throws InvalidOptionError */
export function pageOf({ page = 1, pageSize = 20 }: PageOptions): { page: number; pageSize: number } {
  if (!Number.isSafeInteger(page) || page < 1) throw new InvalidOptionError('page', page, 'a whole number from 1');
  if (!Number.isSafeInteger(pageSize) || pageSize < 1 || pageSize > MAX_PAGE_SIZE)
    throw new InvalidOptionError('pageSize', pageSize, `a whole number from 1 to ${String(MAX_PAGE_SIZE)}`);
  return { page, pageSize };
}
