import type { EventDriver, Gate, SourceSpec, StartFrom } from '../ports/driver.js';
import { BusClosedError } from '../core/errors.js';
import { Intake, type IntakeHost, type IntakeLimits } from './intake.js';
import type { HandlerDeclaration } from '../core/declaration.js';
import type { HandlerEntry, HandlerRegistry, Routes } from './registry.js';

/** The sources of one bus in this process, and which handler needs which pattern of which. */
export class Intakes {
  private readonly shared = new Map<string, Promise<Intake>>();
  private readonly owned = new Map<HandlerEntry, Promise<Intake>>();
  private readonly attached = new Set<Intake>();
  private started = false;
  private ended = false;

  constructor(
    private readonly driver: EventDriver,
    private readonly limits: IntakeLimits,
    private readonly host: IntakeHost,
  ) {}

  all(): Intake[] {
    return [...this.attached];
  }

  get running(): boolean {
    return this.started;
  }

  /** Attaches what the handlers need; their positions are those noted when the driver opened. */
  async start(entries: readonly HandlerEntry[]): Promise<void> {
    this.started = true;
    await this.intake({ kind: 'inbox' });
    await Promise.all(entries.map((entry) => this.connect(entry, 'open')));
  }

  /** Attaches what a handler needs that is added later. Events from now on are its own. */
  async listen(entry: HandlerEntry): Promise<void> {
    if (this.ended) throw new BusClosedError(this.host.bus);
    if (!this.started) return;
    const { group, startFrom } = entry.declaration;
    if (group === undefined && startFrom === 'new') entry.gate = CLOSED;
    entry.gate = await this.connect(entry, 'new');
  }

  /** Nothing is attached any more. */
  end(): void {
    this.ended = true;
  }

  /** Detaches what only this handler needed. It is out of the registry already. */
  async unlisten(entry: HandlerEntry, registry: HandlerRegistry): Promise<void> {
    if (!this.started) return;
    const { group, patterns } = entry.declaration;
    const others = registry.entries().map((other) => other.declaration);
    const unused = (needs: (other: HandlerDeclaration) => boolean): string[] =>
      patterns.filter((pattern) => !others.some((other) => needs(other) && other.patterns.includes(pattern)));
    const shares = (other: HandlerDeclaration): boolean =>
      other.group === group && (group !== undefined || other.startFrom !== 'earliest');
    const own = this.owned.get(entry);
    this.owned.delete(entry);
    await Promise.all([
      own === undefined ? this.drop(subscriber(entry), unused(shares)) : own.then((intake) => this.close(intake)),
      this.drop(
        { kind: 'anycast' },
        unused(() => true),
      ),
      this.drop(
        { kind: 'requests' },
        unused((other) => other.answers),
      ),
    ]);
  }

  /** The intakes through which a broadcast event on these routes will reach ungrouped handlers. */
  processIntakesFor(routes: Routes): Intake[] {
    if (this.ended) return [];
    const owners = new Set(routes.all.filter((entry) => entry.listening));
    const shared = routes.process.some((entry) => entry.listening);
    return this.all().filter(
      ({ spec, owner }) => spec.kind === 'process' && (owner === undefined ? shared : owners.has(owner)),
    );
  }

  private async connect(entry: HandlerEntry, position: StartFrom): Promise<Gate | undefined> {
    const { group, answers, startFrom } = entry.declaration;
    const earliest = startFrom === 'earliest';
    const own = group === undefined && earliest ? this.own(entry) : this.intake(subscriber(entry));
    const shared: SourceSpec[] = answers ? [{ kind: 'anycast' }, { kind: 'requests' }] : [{ kind: 'anycast' }];
    const [gates] = await Promise.all([
      this.addPatterns(own, entry, earliest ? 'earliest' : position),
      ...shared.map((spec) => this.addPatterns(this.intake(spec), entry, position)),
    ]);
    entry.listening = true;
    if (group !== undefined || earliest || position === 'open' || gates.length === 0) return undefined;
    return allOf(gates);
  }

  private async addPatterns(attaching: Promise<Intake>, entry: HandlerEntry, from: StartFrom): Promise<Gate[]> {
    const intake = await attaching;
    const { source } = intake;
    intake.widen(entry.places);
    const gates = await Promise.all(entry.declaration.patterns.map(async (pattern) => source?.listen(pattern, from)));
    return gates.filter((gate) => gate !== undefined);
  }

  private async drop(spec: SourceSpec, patterns: readonly string[]): Promise<void> {
    const intake = await this.shared.get(key(spec));
    await Promise.all(patterns.map(async (pattern) => intake?.source?.unlisten(pattern)));
  }

  private intake(spec: SourceSpec): Promise<Intake> {
    let intake = this.shared.get(key(spec));
    if (intake === undefined) {
      intake = this.attach(spec).catch((error: unknown) => {
        this.shared.delete(key(spec));
        throw error;
      });
      this.shared.set(key(spec), intake);
    }
    return intake;
  }

  private own(entry: HandlerEntry): Promise<Intake> {
    const intake = this.attach({ kind: 'process' }, entry);
    this.owned.set(entry, intake);
    return intake;
  }

  private async attach(spec: SourceSpec, owner?: HandlerEntry): Promise<Intake> {
    const intake = new Intake(spec, this.limits, this.host, owner);
    intake.source = await this.driver.attach(spec, intake);
    this.attached.add(intake);
    return intake;
  }

  private async close(intake: Intake): Promise<void> {
    await intake.source?.close();
    // Until then a drain waits for what it has begun.
    void intake.whenIdle().then(() => this.attached.delete(intake));
  }
}

/** Before a pattern counts, nothing passes. */
const CLOSED: Gate = { admits: () => false, spent: false };

function allOf(gates: readonly Gate[]): Gate {
  return {
    admits: (delivery) => gates.every((gate) => gate.admits(delivery)),
    get spent() {
      return gates.every((gate) => gate.spent);
    },
  };
}

function subscriber(entry: HandlerEntry): SourceSpec {
  const { group } = entry.declaration;
  return group === undefined ? { kind: 'process' } : { kind: 'group', group };
}

function key(spec: SourceSpec): string {
  return spec.kind === 'group' ? `group:${spec.group}` : spec.kind;
}
