export { EventType, type EventClass, type EventTypeInfo } from './core/event-class.js';
export type { ContextLogger, EventContext, PublishReceipt } from './core/context.js';
export type { EnvelopeInit, EventEnvelope, EventHeaders, EventMode } from './core/envelope.js';
export type { EventHandler } from './core/handler.js';
export {
  BackendError,
  BackendUnavailableError,
  BusClosedError,
  EventLoopError,
  EventSerializationError,
  EventsConfigError,
  EventsError,
  EventsOverloadedError,
  HandlersFailedError,
  InstanceIdInUseError,
  InvalidEventError,
  InvalidEventTypeError,
  InvalidHandlerError,
  InvalidOptionError,
  InvalidPatternError,
  MissingDependencyError,
  NoHandlerError,
  NoSuchInstanceError,
  PayloadTooLargeError,
  PublishManyError,
  RemoteHandlerError,
  RequestTimeoutError,
  ResponderLostError,
  StreamFullError,
  UnknownBusError,
  UnsupportedError,
  WaitAbortedError,
  isEventsError,
  type EventsErrorCode,
} from './core/errors.js';
export type {
  Backend,
  BusOptions,
  DriverFactory,
  Duration,
  EventsModuleOptions,
  ExchangeType,
  Overflow,
  RedisLike,
  ResolvedBusOptions,
} from './ports/options.js';
export type { Clock, Timer } from './core/clock.js';
export type { DeadLetterReason, DeadLetterRow, Delivery, Reply, Verdict } from './core/delivery.js';
export type { EventsLogger } from './ports/logger.js';
export type * from './ports/driver.js';
export { EventBus, type ReceivedEvent } from './bus/event-bus.js';
export type { EventToPublish, Listenable, PublishOptions, RequestOptions } from './bus/publish-options.js';
export type { SubscribeOptions, Subscription } from './bus/subscription.js';
export { SystemEvents, type SystemError, type SystemWarning } from './bus/system-events.js';
export { EventService } from './runtime/event-service.js';
export { createEventBus, type CreateEventBusOptions } from './runtime/create-event-bus.js';
export * from './nest/index.js';
