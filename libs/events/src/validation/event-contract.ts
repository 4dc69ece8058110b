import type { EventEnvelope } from '../core/envelope.js';
import { EventValidationError } from '../core/errors.js';
import type { EventClass, EventTypeInfo } from '../core/event-class.js';
import { decodePayload, encodePayload } from '../core/payload.js';
import type { Upcasters } from '../core/upcasters.js';
import type { Transformer } from './class-transformer.js';
import { isDecorated, type Validate } from './class-validator.js';
import { deepFreeze } from './deep-freeze.js';
import { after, Lazy, settled } from './lazy.js';
import { applySchema } from './standard-schema.js';

/** What contracts share. */
export interface ContractServices {
  readonly upcasters: Upcasters;
  readonly validator: Lazy<Validate>;
  readonly transformer: Lazy<Transformer>;
}

/** What one class of events says of its payloads: rules, version, and what handlers get. Synchronous wherever it can be. */
export class EventContract {
  /** One value an event, for all handlers of the class. */
  private readonly values = new WeakMap<EventEnvelope, unknown>();
  private readers = 0;
  private readonly decorated: boolean;
  /** Undefined where class-transformer has nothing to say of the class. */
  private readonly transformer: Lazy<Transformer | undefined>;

  constructor(
    private readonly target: EventClass,
    private readonly info: EventTypeInfo,
    private readonly services: ContractServices,
  ) {
    this.decorated = isDecorated(target);
    this.transformer = new Lazy(async () => {
      const transformer = await services.transformer.get();
      return transformer.knows(target) ? transformer : undefined;
    });
  }

  /** Says that a handler will read: values are kept where a second one may ask for them. */
  join(): this {
    this.readers++;
    return this;
  }

  /**
   * Checks an instance that is published as this envelope; undefined where it is good, a promise where that takes a while.
   * @throws EventValidationError
   */
  check(event: object, envelope: EventEnvelope): Promise<void> | undefined {
    const { decorated } = this;
    const { schema } = this.info;
    if (schema === undefined && !decorated) return undefined;
    const checking = after(schema && this.bySchema(jsonOf(envelope, envelope.payload())), () =>
      decorated ? this.byDecorators(event) : undefined,
    );
    return checking instanceof Promise ? checking.then(() => undefined) : undefined;
  }

  /**
   * What handlers of the class get for the event: brought to the version of the class, checked, an instance, frozen.
   * @throws EventValidationError, UnsupportedVersionError
   */
  read(event: EventEnvelope): unknown {
    const known = this.values.get(event);
    if (known !== undefined) return known;
    const made = this.make(event);
    if (this.readers < 2) return made;
    const value = made instanceof Promise ? this.remember(event, made) : made;
    this.values.set(event, value);
    return value;
  }

  private remember(event: EventEnvelope, making: Promise<unknown>): Promise<unknown> {
    return making.then(
      (value) => {
        this.values.set(event, value);
        return value;
      },
      (error: unknown) => {
        // An upcast may do better the next time.
        this.values.delete(event);
        throw error;
      },
    );
  }

  private make(event: EventEnvelope): unknown {
    const payload = event.payload();
    if (event.version !== this.info.version)
      return after(this.upcast(event, payload), (newest) => this.finish(event, newest));
    // Handed over by reference (`isolate: false`): it is an instance already.
    if (event.text === undefined && payload instanceof this.target) return payload;
    return this.finish(event, payload);
  }

  private upcast({ type, version }: EventEnvelope, payload: unknown): unknown {
    let value = payload;
    for (const upcast of this.services.upcasters.chain(type, version, this.info.version))
      value = after(value, (older) => settled(upcast(older)));
    return value;
  }

  private finish(event: EventEnvelope, payload: unknown): unknown {
    return after(this.transformer.get(), (transformer) => {
      if (this.info.schema === undefined && !this.decorated && transformer === undefined)
        return this.plainInstance(payload);
      return after(this.bySchema(jsonOf(event, payload)), (value) =>
        after(this.instanceOf(value, transformer), deepFreeze),
      );
    });
  }

  /** The cheap way: what is inside was frozen when it was decoded, or belongs to the publisher. */
  private plainInstance(payload: unknown): unknown {
    return isObject(payload) ? Object.freeze(instance(this.target, payload)) : payload;
  }

  private instanceOf(value: unknown, transformer: Transformer | undefined): unknown {
    if (!isObject(value)) {
      if (!this.decorated) return value;
      throw new EventValidationError(this.info.type, [{ path: '', message: 'it must be an object' }]);
    }
    const made =
      value instanceof this.target ? value : (transformer?.make(this.target, value) ?? instance(this.target, value));
    return this.decorated ? this.byDecorators(made) : made;
  }

  private bySchema(payload: unknown): unknown {
    const { type, schema } = this.info;
    return schema === undefined ? payload : applySchema(type, schema, payload);
  }

  private byDecorators(event: object): object | Promise<object> {
    return after(this.services.validator.get(), (validate) => {
      validate(this.info.type, event);
      return event;
    });
  }
}

/** What is handed over by reference is read from its JSON too: that is what rules are about. */
function jsonOf(event: EventEnvelope, payload: unknown): unknown {
  if (event.text !== undefined) return payload;
  const text = encodePayload(event.type, payload, Number.MAX_SAFE_INTEGER);
  return text === undefined ? undefined : decodePayload(text);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An instance without a call of the constructor. Own properties, also where the class has only a getter of that name. */
function instance(target: EventClass, payload: object): object {
  const made = Object.create((target as unknown as { prototype: object }).prototype) as object;
  try {
    return Object.assign(made, payload);
  } catch {
    return Object.defineProperties(made, Object.getOwnPropertyDescriptors(payload));
  }
}
