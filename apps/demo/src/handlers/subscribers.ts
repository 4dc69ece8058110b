/** Who handles the events of the history and is checked: a handler of each process, and two groups. */
export const SUBSCRIBERS = [
  { name: 'line-totals', kind: 'process' },
  { name: 'leaderboard', kind: 'group' },
  { name: 'audit', kind: 'group' },
] as const;

export type SubscriberName = (typeof SUBSCRIBERS)[number]['name'];
