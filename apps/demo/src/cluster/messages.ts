import type { CardEntry } from '../ledger/card-book.js';
import type { Handled } from '../ledger/account.js';

/** What a member tells `demo:cluster`. */
export type FromMember =
  | { readonly kind: 'ready'; readonly url: string }
  | { readonly kind: 'handled'; readonly handled: Handled }
  | { readonly kind: 'card'; readonly entry: CardEntry }
  | { readonly kind: 'played' }
  | { readonly kind: 'failed'; readonly message: string };

/** What `demo:cluster` tells a member. */
export interface ToMember {
  readonly kind: 'play';
  /** The first change, counted from 0, and the one to stop before. */
  readonly from: number;
  readonly to: number;
}
