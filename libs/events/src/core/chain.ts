/** What can be in a chain, one at a time. The fields are the chain's business. */
export abstract class Link {
  before: Link | undefined = undefined;
  after: Link | undefined = undefined;

  /** Leaves the chain that it is in; false where it is in none. */
  leave(): boolean {
    const { before, after } = this;
    if (before === undefined || after === undefined) return false;
    before.after = after;
    after.before = before;
    // It must not lead on: an old link that is garbage would keep young ones from being collected.
    this.before = undefined;
    this.after = undefined;
    return true;
  }
}

/** Closes a chain to a ring: before the first and after the last. */
class Ends extends Link {}

/** A list in the order of adding that links leave from anywhere: every call costs the same, and nothing is hashed. */
export class Chain<T extends Link> implements Iterable<T> {
  private readonly ends: Link = new Ends();

  constructor() {
    this.ends.before = this.ends;
    this.ends.after = this.ends;
  }

  get first(): T | undefined {
    const { ends } = this;
    return ends.after === ends ? undefined : (ends.after as T);
  }

  /** Puts a link that is in no chain at the end. */
  add(link: T): void {
    const { ends } = this;
    const last = ends.before ?? ends;
    link.before = last;
    link.after = ends;
    last.after = link;
    ends.before = link;
  }

  /** The link that it stands at may leave meanwhile. */
  *[Symbol.iterator](): Iterator<T> {
    let link = this.ends.after;
    while (link !== undefined && link !== this.ends) {
      const { after }: Link = link;
      yield link as T;
      link = after;
    }
  }
}
