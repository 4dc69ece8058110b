/** Who handles the events of the history and is checked: a handler of each process, two groups, and one of cards. */
export const SUBSCRIBERS = [
  { name: 'line-totals', kind: 'process' },
  { name: 'leaderboard', kind: 'group' },
  { name: 'audit', kind: 'group' },
  { name: 'file-cards', kind: 'cards' },
] as const;

export type SubscriberKind = (typeof SUBSCRIBERS)[number]['kind'];
export type SubscriberName = (typeof SUBSCRIBERS)[number]['name'];
