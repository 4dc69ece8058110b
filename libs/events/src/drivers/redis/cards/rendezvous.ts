const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * How many of the others come before this process for a card: highest random weight (Thaler and Ravishankar, 1996), so that
 * a process that comes or goes moves only its own cards. A wrong view of who is there costs time, never order.
 */
export function rankOf(card: string, self: string, others: readonly string[]): number {
  if (others.length === 0) return 0;
  const own = weight(self, card);
  let rank = 0;
  for (const other of others) {
    const theirs = weight(other, card);
    if (theirs > own || (theirs === own && other < self)) rank++;
  }
  return rank;
}

/** FNV-1a of both, then murmur's last step: without it the first text decides too much. */
function weight(instance: string, card: string): number {
  let hash = mix(mix(FNV_OFFSET, card), instance);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function mix(hash: number, text: string): number {
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), FNV_PRIME);
  return hash;
}
