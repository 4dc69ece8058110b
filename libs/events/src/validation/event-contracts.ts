import { eventTypeOf, type EventClass } from '../core/event-class.js';
import { Upcasters } from '../core/upcasters.js';
import { loadTransformer } from './class-transformer.js';
import { loadValidator } from './class-validator.js';
import { EventContract, type ContractServices } from './event-contract.js';
import { Lazy } from './lazy.js';

/** The contracts of event classes, each made once. Nothing is loaded for classes that do not need it. */
export class EventContracts {
  private readonly contracts = new WeakMap<EventClass, EventContract>();
  private readonly services: ContractServices;

  constructor(upcasters: Upcasters = new Upcasters()) {
    this.services = { upcasters, validator: new Lazy(loadValidator), transformer: new Lazy(loadTransformer) };
  }

  /** The contract of a class; undefined where it has no `@EventType` of its own. */
  of(target: EventClass): EventContract | undefined {
    const known = this.contracts.get(target);
    if (known !== undefined) return known;
    const info = eventTypeOf(target);
    if (info === undefined) return undefined;
    const contract = new EventContract(target, info, this.services);
    this.contracts.set(target, contract);
    return contract;
  }
}
